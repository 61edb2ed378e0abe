// Products of a few rows or many with a matrix that is in the order of tiles already, on the threads of an operation.

#include "recording.h"
#include "sums.h"

namespace {

// A matrix [n, k] as oneDNN's products read it with AMX (BA16a32b2a): for each 32 columns, for each 32 rows, 16 pairs of rows.
constexpr jlong BLOCK = 32;
constexpr Order PACKED = {2 * BLOCK, PAIR};
constexpr jlong NEXT = 4;  // steps
// Of few rows as many blocks at once as there are registers for: memory gives more where it is read in several places.
constexpr int ABREAST = 3;
constexpr jlong SOON = 2;  // steps

struct alignas(64) Scratch {
    uint16 rows[KEPT];
    float sums[ABREAST][SQUARE];
};

thread_local Scratch scratch;

struct Packed {
    const uint16 *values;
    jlong n;
    jlong k;

    const uint16 *block(jlong i) const { return values + i * BLOCK * k; }
    jlong blocks() const { return (n + BLOCK - 1) / BLOCK; }
};

// What is asked for while so many times 32 rows are multiplied by a block: what comes a few steps later where each step needs other values, else the next block.
Ahead asked(const Packed &b, jlong block, jlong to, jlong times) {
    if (times == 1) {
        return {b.block(block) + NEXT * SQUARE, 0, BLOCK * b.k, 1, SQUARE / LINE, 0};
    }
    const jlong steps = times * (b.k / PAIR);
    const jlong lines = block + 1 < to ? BLOCK * b.k / LINE : 0;
    return {b.block(block + 1), 0, BLOCK * b.k, lines > 0, (lines + steps - 1) / steps, 0};
}

// What a step of few rows takes of one of the blocks, whose sums are in the registers LEFT and LEFT + 1, and asks for.
template <int LEFT>
inline void column(const uint16 *b, jlong soon) {
    for (jlong line = 0; line < SQUARE; line += LINE) {
        _mm_prefetch(reinterpret_cast<const char *>(b + soon + line), _MM_HINT_T0);
    }
    _tile_loadd(7, b, PACKED.next * 2);
    _tile_dpbf16ps(LEFT, 6, 7);
    _tile_loadd(7, b + PACKED.half, PACKED.next * 2);
    _tile_dpbf16ps(LEFT + 1, 6, 7);
}

template <int LEFT>
inline void stored(float *sums) {
    _tile_stored(LEFT, sums, 128);
    _tile_stored(LEFT + 1, sums + TILE, 128);
}

// Up to 16 rows of x times so many blocks, of which others follow that are as far ahead.
template <int COUNT>
void few(const uint16 *x, const Packed &b, jlong block, float (*sums)[SQUARE]) {
    const jlong k = b.k;
    const jlong next = (COUNT - 1) * BLOCK * k;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (jlong i = 0; i < k; i += PAIR) {
        const jlong soon = SOON * SQUARE + (i + SOON * PAIR < k ? 0 : next);
        const uint16 *at = b.block(block) + i * PAIR;
        _tile_loadd(6, x + i, k * 2);
        column<0>(at, soon);
        if constexpr (COUNT > 1) {
            column<2>(at + BLOCK * k, soon);
        }
        if constexpr (COUNT > 2) {
            column<4>(at + 2 * BLOCK * k, soon);
        }
    }
    stored<0>(sums[0]);
    if constexpr (COUNT > 1) {
        stored<2>(sums[1]);
    }
    if constexpr (COUNT > 2) {
        stored<4>(sums[2]);
    }
}

// Some blocks of columns of y = before + x b + bias, for k a multiple of 32.
void linear(
    const uint16 *x, const Packed &b, const uint16 *bias, const uint16 *before, uint16 *y, jlong m, jlong from, jlong to) {
    const jlong k = b.k;
    const jlong most = least(1024, KEPT / k / PAIR * PAIR);
    const auto answer = [&](const float *sums, jlong row, jlong rows, jlong block) {
        const jlong place = row * b.n + block * BLOCK;
        Rows<uint16> its = {sums, before ? before + place : nullptr, y + place, b.n, rows, first(b.n - block * BLOCK)};
        its.add(bias ? bias + block * BLOCK : nullptr);
        return its;
    };
    Between<uint16> between = {};
    int kept = 0;
    for (jlong top = 0; top < m; top += most) {
        const jlong bottom = least(m, top + most);
        const jlong copied = bottom - (bottom - top) % PAIR;
        if (copied < bottom) {
            copy({x + copied * k, k, 1}, bottom - copied, k, k, scratch.rows);
        }
        if (bottom - top <= TILE) {
            between.rows.rest();
            for (jlong block = from, count; block < to; block += count) {
                count = to - block < ABREAST ? 1 : ABREAST;
                count == 1 ? few<1>(scratch.rows, b, block, scratch.sums) : few<ABREAST>(scratch.rows, b, block, scratch.sums);
                for (jlong i = 0; i < count; i++) {
                    answer(scratch.sums[i], top, bottom - top, block + i).rest();
                }
            }
            continue;
        }
        for (jlong block = from; block < to; block++) {
            between.ahead = asked(b, block, to, (bottom - top + PAIR - 1) / PAIR);
            for (jlong i = top; i < bottom; i += PAIR) {
                const jlong rows = least(PAIR, bottom - i);
                const uint16 *its = i < copied ? x + i * k : scratch.rows;
                float *sums = scratch.sums[kept ^= 1];
                multiply<PACKED>(its, k, rows, b.block(block), b.n - block * BLOCK, k, sums, [&] { between.step(); });
                between.rows.rest();
                between.rows = answer(sums, i, rows, block);
            }
        }
    }
    between.rows.rest();
}

struct Job {
    const uint16 *x;
    Packed b;
    const uint16 *bias;
    const uint16 *before;
    uint16 *y;
    jlong m;

    template <typename Barrier>
    void part(jlong member, jlong size, Barrier) const {
        Configured tiles;
        linear(x, b, bias, before, y, m, b.blocks() * member / size, b.blocks() * (member + 1) / size);
    }
};

}  // namespace

// Asks Linux for the tiles' registers: 1 if this process may use them.
NATIVE(jint, Bf16Products, tiles)(JNIEnv *, jclass) {
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    return answer == 0;
}

NATIVE(void, Bf16Products, linear)
(JNIEnv *, jclass, jlong x, jlong b, jlong bias, jlong before, jlong y, jlong m, jlong n, jlong k, jint threads) {
    const Job job = {at<uint16>(x), {at<uint16>(b), n, k}, at<uint16>(bias), at<uint16>(before), at<uint16>(y), m};
    perform([=] { together(job, threads); });
}
