// A product of bf16 matrices of any size by one thread, with sums in fp32. Nothing is compiled for a size, and each row of an answer is summed up
// in the same order whatever rows stand beside it.

#pragma once

#include "sums.h"

namespace {

constexpr jlong DEEP = 1536;    // rows of the second factor that are multiplied at once
constexpr jlong PANEL = 49152;  // values of it that are put in order at once
constexpr Order TILES = {PAIR, SQUARE / 2};

}  // namespace

struct alignas(64) ProductScratch {
    uint16 panels[2][PANEL];
    uint16 rows[KEPT];
    float sums[2][SQUARE];
};

inline thread_local ProductScratch scratch;

namespace {

// Some columns of the second factor as tiles: for each 32 columns, for each 32 rows, two tiles, which are made one pair after the other.
struct Panel {
    Matrix b;
    jlong k;
    jlong n;
    uint16 *tiles;
    jlong i = 0;
    jlong j = 0;

    bool whole() const { return j >= n; }
    jlong pairs() const { return (n + PAIR - 1) / PAIR * ((k + PAIR - 1) / PAIR); }

    void pair() {
        __m512i low[16], high[16];
        if (b.by_rows()) {
            interleave(b.at(i, j), b.row, k - i, n - j, low, high);
        } else {
            lines(b.at(i, j), b.column, n - j, k - i, low);
            lines(b.at(i, j + TILE), b.column, n - j - TILE, k - i, high);
            transpose(low);
            transpose(high);
        }
        put(tiles, PAIR, low);
        put(tiles + 512, PAIR, high);
        tiles += 1024;
        i += PAIR;
        if (i >= k) {
            i = 0;
            j += PAIR;
        }
    }

    void rest() {
        while (!whole()) {
            pair();
        }
    }
};

// As its columns.
template <typename Y>
void columns(const float *sums, const uint16 *bias, Y *y, jlong column, jlong m, jlong n, bool sum) {
    const __mmask32 some = first(m);
    for (jlong half = 0; half < PAIR && half < n; half += TILE) {
        __m512i low[16], high[16];
        for (int i = 0; i < 16; i++) {
            low[i] = _mm512_load_si512(sums + i * PAIR + half);
            high[i] = _mm512_load_si512(sums + (TILE + i) * PAIR + half);
        }
        transpose(low);
        transpose(high);
        for (jlong i = 0; i < TILE && i < n - half; i++) {
            const __m512 added = _mm512_set1_ps(bias ? value(bias[half + i]) : 0.0f);
            store(
                _mm512_add_ps(_mm512_castsi512_ps(low[i]), added), _mm512_add_ps(_mm512_castsi512_ps(high[i]), added),
                sum ? y + (half + i) * column : nullptr, y + (half + i) * column, some);
        }
    }
}

// The next panel is put in order in between too.
template <typename Y>
struct Beside : Between<Y> {
    Panel panel;
    jlong pairs;
    jlong steps;
    jlong due = 0;

    void step() {
        Between<Y>::step();
        due += pairs;
        while (due >= steps && !panel.whole()) {
            due -= steps;
            panel.pair();
        }
    }
};

// y (+)= a b for m x k by k x n, k at most DEEP
template <typename Y>
void product(
    const Matrix &a, const Matrix &b, const uint16 *bias, Y *y, jlong row, jlong column, jlong m, jlong n, jlong k,
    bool sum) {
    const jlong depth = (k + PAIR - 1) / PAIR * PAIR;
    const jlong most = least(1024, KEPT / depth / PAIR * PAIR);
    const jlong width = PANEL / depth / PAIR * PAIR;
    for (jlong top = 0; top < m; top += most) {
        const jlong bottom = least(m, top + most);
        // Rows that tiles can't be loaded from as they are: all, or the last ones.
        const bool direct = a.by_rows() && k == depth;
        const jlong copied = direct ? bottom - (bottom - top) % PAIR : top;
        for (jlong i = copied; i < bottom; i += PAIR) {
            copy({a.at(i, 0), a.row, a.column}, bottom - i, k, depth, scratch.rows + (i - copied) * depth);
        }
        const jlong blocks = (bottom - top + PAIR - 1) / PAIR;
        Panel panel = {b, k, least(width, n), scratch.panels[0]};
        panel.rest();
        Beside<Y> beside = {};
        int turn = 0;
        int kept = 0;
        for (jlong left = 0; left < n; left += width, turn ^= 1) {
            const jlong columns_ = least(width, n - left);
            const jlong steps = blocks * ((columns_ + PAIR - 1) / PAIR) * (depth / PAIR);
            const uint16 *tiles = scratch.panels[turn];
            beside.panel = {{b.at(0, left + width), b.row, b.column}, k, least(width, n - left - width), scratch.panels[turn ^ 1]};
            beside.ahead = Ahead::of(b, left + 2 * width, k, least(width, n - left - 2 * width), steps);
            beside.pairs = beside.panel.whole() ? 0 : beside.panel.pairs();
            beside.steps = steps;
            beside.due = 0;
            for (jlong i = top; i < bottom; i += PAIR) {
                const jlong rows = least(PAIR, bottom - i);
                const uint16 *its = i < copied ? a.at(i, 0) : scratch.rows + (i - copied) * depth;
                const jlong next = i < copied ? a.row : depth;
                for (jlong j = 0; j < columns_; j += PAIR) {
                    float *sums = scratch.sums[kept ^= 1];
                    multiply<TILES>(its, next, rows, tiles + j * depth, columns_ - j, k, sums, [&] { beside.step(); });
                    beside.rows.rest();
                    Y *place = y + i * row + (left + j) * column;
                    const uint16 *its_bias = bias ? bias + left + j : nullptr;
                    if (column == 1) {
                        beside.rows = {sums, sum ? place : nullptr, place, row, rows, first(columns_ - j)};
                        beside.rows.add(its_bias);
                    } else {
                        columns(sums, its_bias, place, column, rows, columns_ - j, sum);
                    }
                }
            }
            beside.panel.rest();
        }
        beside.rows.rest();
    }
}

template <typename Y>
void products(
    Matrix a, Matrix b, const uint16 *bias, Y *y, jlong row, jlong column, jlong m, jlong n, jlong k, bool sum) {
    // Columns of the first factor are put in order at a higher price than rows of the second.
    const bool turned = !bias && (column != 1 || (!a.by_rows() && b.by_rows() && m > n));
    for (jlong start = 0; start < k; start += DEEP) {
        jlong depth = least(DEEP, k - start);
        Matrix left = {a.at(0, start), a.row, a.column};
        Matrix right = {b.at(start, 0), b.row, b.column};
        if (turned) {
            product(right.transposed(), left.transposed(), nullptr, y, column, row, n, m, depth, sum || start > 0);
        } else {
            product(left, right, start > 0 ? nullptr : bias, y, row, column, m, n, depth, sum || start > 0);
        }
    }
}

}  // namespace
