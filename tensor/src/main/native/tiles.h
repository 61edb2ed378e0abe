// What products have in common: matrices, their parts in the order of tiles, and how sums get into their place.

#pragma once

#include <immintrin.h>

#include "kernels.h"

using uint16 = unsigned short;
namespace {

// Values of a matrix one row or one column after another.
struct Matrix {
    const uint16 *values;
    jlong row;
    jlong column;

    bool by_rows() const { return column == 1; }
    const uint16 *at(jlong i, jlong j) const { return values + i * row + j * column; }
    Matrix transposed() const { return {values, column, row}; }
};

constexpr jlong TILE = 16;       // rows of a tile
constexpr jlong PAIR = 32;       // values of a row of a tile, and rows and columns of what is made at once
constexpr jlong LINE = 32;       // values of a line of a cache
constexpr jlong KEPT = 1 << 19;  // values of the first factor that fit into a second-level cache beside others

__mmask32 first(jlong count) {
    return count >= PAIR ? ~0u : count <= 0 ? 0u : (1u << count) - 1;
}

// The transpose of 16 x 16 numbers of 32 bits.
inline void transpose(__m512i *r) {
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

// 32 rows of up to 32 values each, by pairs of rows: the first 16 columns, then the others, as a tile of the second factor.
inline void interleave(const uint16 *from, jlong next, jlong rows, jlong columns, __m512i *low, __m512i *high) {
    alignas(64) static const uint16 FIRST[32] = {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
                                                 8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47};
    const __m512i lower = _mm512_load_si512(FIRST);
    const __m512i upper = _mm512_add_epi16(lower, _mm512_set1_epi16(16));
    const __mmask32 some = first(columns);
    for (int i = 0; i < 16; i++) {
        __m512i a = _mm512_maskz_loadu_epi16(2 * i < rows ? some : 0, from + 2 * i * next);
        __m512i b = _mm512_maskz_loadu_epi16(2 * i + 1 < rows ? some : 0, from + (2 * i + 1) * next);
        low[i] = _mm512_permutex2var_epi16(a, lower, b);
        high[i] = _mm512_permutex2var_epi16(a, upper, b);
    }
}

inline void lines(const uint16 *from, jlong next, jlong rows, jlong columns, __m512i *r) {
    const __mmask32 some = first(columns);
    for (int i = 0; i < 16; i++) {
        r[i] = _mm512_maskz_loadu_epi16(i < rows ? some : 0, from + i * next);
    }
}

inline void put(uint16 *to, jlong next, const __m512i *r) {
    for (int i = 0; i < 16; i++) {
        _mm512_store_si512(to + i * next, r[i]);
    }
}

// 32 rows of the first factor one after another, those that aren't there 0.
void copy(const Matrix &a, jlong m, jlong k, jlong width, uint16 *to) {
    for (jlong i = 0; i < k; i += PAIR) {
        __m512i low[16], high[16];
        if (a.by_rows()) {
            lines(a.at(0, i), a.row, m, k - i, low);
            lines(a.at(TILE, i), a.row, m - TILE, k - i, high);
        } else {
            interleave(a.at(0, i), a.column, k - i, m, low, high);
            transpose(low);
            transpose(high);
        }
        put(to + i, width, low);
        put(to + TILE * width + i, width, high);
    }
}

// Asks for the part of the second factor that is put in order next, a few lines for each step of a product.
struct Ahead {
    const uint16 *values;
    jlong next;   // from one row or column to the next one
    jlong size;   // of a row or column
    jlong count;  // of them
    jlong each;
    jlong at;

    // So many columns of k rows of b, within so many steps.
    static Ahead of(const Matrix &b, jlong left, jlong k, jlong columns, jlong steps) {
        if (columns <= 0) {
            return {nullptr, 0, 0, 0, 0, 0};
        }
        jlong size = b.by_rows() ? columns : k;
        jlong count = b.by_rows() ? k : columns;
        jlong lines = (size + LINE - 1) / LINE * count;
        return {b.at(0, left), b.by_rows() ? b.row : b.column, size, count, (lines + steps - 1) / steps, 0};
    }

    void step() {
        for (jlong i = 0; i < each && count > 0; i++) {
            _mm_prefetch(reinterpret_cast<const char *>(values + at), _MM_HINT_T1);
            at += LINE;
            if (at >= size) {
                at = 0;
                values += next;
                count--;
            }
        }
    }
};

inline float value(uint16 x) { return __builtin_bit_cast(float, static_cast<unsigned>(x) << 16); }

inline __m512 wide(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

// Up to 32 sums of a row, with what was there before unless that is null, rounded to bf16.
inline void store(__m512 low, __m512 high, const uint16 *before, uint16 *y, __mmask32 some) {
    if (before) {
        __m512i values = _mm512_maskz_loadu_epi16(some, before);
        low = _mm512_add_ps(low, wide(_mm512_castsi512_si256(values)));
        high = _mm512_add_ps(high, wide(_mm512_extracti64x4_epi64(values, 1)));
    }
    _mm512_mask_storeu_epi16(y, some, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
}

inline void store(__m512 low, __m512 high, const float *before, float *y, __mmask32 some) {
    const __mmask16 left = static_cast<__mmask16>(some);
    const __mmask16 right = static_cast<__mmask16>(some >> 16);
    if (before) {
        low = _mm512_add_ps(low, _mm512_maskz_loadu_ps(left, before));
        high = _mm512_add_ps(high, _mm512_maskz_loadu_ps(right, before + TILE));
    }
    _mm512_mask_storeu_ps(y, left, low);
    _mm512_mask_storeu_ps(y + TILE, right, high);
}

// Sums [32, 32] as rows of the answer, some for each step of the product after it.
template <typename Y>
struct Rows {
    const float *sums = nullptr;
    const Y *before = nullptr;
    Y *y = nullptr;
    jlong next = 0;
    jlong count = 0;
    __mmask32 some = 0;
    __m512 low = {};
    __m512 high = {};

    // What is added to each row: so many values, or none.
    void add(const uint16 *bias) {
        __m512i values = bias ? _mm512_maskz_loadu_epi16(some, bias) : _mm512_setzero_si512();
        low = wide(_mm512_castsi512_si256(values));
        high = wide(_mm512_extracti64x4_epi64(values, 1));
    }

    void row() {
        store(_mm512_add_ps(_mm512_load_ps(sums), low), _mm512_add_ps(_mm512_load_ps(sums + TILE), high), before, y, some);
        sums += PAIR;
        before = before ? before + next : nullptr;
        y += next;
        count--;
    }

    void rest() {
        while (count > 0) {
            row();
        }
    }
};

// What is done between the steps of a product: the answer before gets into its place, and lines are asked for.
template <typename Y>
struct Between {
    Rows<Y> rows;
    Ahead ahead;

    void step() {
        if (rows.count > 0) {
            rows.row();
        }
        if (rows.count > 0) {
            rows.row();
        }
        ahead.step();
    }
};

}  // namespace
