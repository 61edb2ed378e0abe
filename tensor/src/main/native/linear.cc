// Products of a few rows or many with a matrix that is in the order of tiles already, on the threads of an operation.

#include "sums.h"
#include "recording.h"

namespace {

// A matrix [n, k] as oneDNN's products read it with AMX (BA16a32b2a): for each 32 columns, for each 32 rows, 16 pairs of rows.
constexpr jlong BLOCK = 32;
constexpr Order PACKED = {2 * BLOCK, PAIR};
constexpr jlong NEXT = 4;  // steps

struct alignas(64) Scratch {
    uint16 rows[KEPT];
    float sums[2][SQUARE];
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

// Some blocks of columns of y = before + x b + bias, for k a multiple of 32.
void linear(
    const uint16 *x, const Packed &b, const uint16 *bias, const uint16 *before, uint16 *y, jlong m, jlong from, jlong to) {
    const jlong k = b.k;
    const jlong most = least(1024, KEPT / k / PAIR * PAIR);
    Between<uint16> between = {};
    int kept = 0;
    for (jlong top = 0; top < m; top += most) {
        const jlong bottom = least(m, top + most);
        const jlong copied = bottom - (bottom - top) % PAIR;
        if (copied < bottom) {
            copy({x + copied * k, k, 1}, bottom - copied, k, k, scratch.rows);
        }
        for (jlong block = from; block < to; block++) {
            between.ahead = asked(b, block, to, (bottom - top + PAIR - 1) / PAIR);
            for (jlong i = top; i < bottom; i += PAIR) {
                const jlong rows = least(PAIR, bottom - i);
                const uint16 *its = i < copied ? x + i * k : scratch.rows;
                const uint16 *tiles = b.block(block);
                const jlong column = block * BLOCK;
                float *sums = scratch.sums[kept ^= 1];
                multiply<PACKED>(its, k, rows, tiles, b.n - column, k, sums, [&] { between.step(); });
                between.rows.rest();
                const jlong place = i * b.n + column;
                between.rows = {sums, before ? before + place : nullptr, y + place, b.n, rows, first(b.n - column)};
                between.rows.add(bias ? bias + column : nullptr);
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
NATIVE(jint, tiles)(void *, void *) {
    long answer;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(158L), "D"(0x1023L), "S"(18L) : "rcx", "r11", "memory");
    return answer == 0;
}

NATIVE(void, linear)
(void *, void *, jlong x, jlong b, jlong bias, jlong before, jlong y, jlong m, jlong n, jlong k, jint threads) {
    const Job job = {reinterpret_cast<const uint16 *>(x),      {reinterpret_cast<const uint16 *>(b), n, k},
               reinterpret_cast<const uint16 *>(bias),   reinterpret_cast<const uint16 *>(before),
               reinterpret_cast<uint16 *>(y),            m};
    perform([=] { together(job, threads); });
}
