// Sums of products, 32 x 32 at once: in AMX's tiles, or in registers of 512 bits.

#pragma once

#include "tiles.h"

namespace {

// How the second factor stands: for each 32 rows, for each 2 of them, so many values to the next 2; the last 16 columns behind the first.
struct Order {
    jlong next;
    jlong half;
};

constexpr jlong SQUARE = PAIR * PAIR;

#ifdef __AMX_BF16__

struct alignas(64) Tiles {
    unsigned char palette = 1;
    unsigned char start = 0;
    unsigned char unused[14] = {};
    uint16 bytes[16] = {};
    unsigned char rows[16] = {};
};

// The registers as these products use them, and afterwards as they were.
struct Configured {
    Tiles before;

    Configured() {
        _tile_storeconfig(&before);
        Tiles all;
        for (int tile = 0; tile < 8; tile++) {
            all.bytes[tile] = 64;
            all.rows[tile] = TILE;
        }
        _tile_loadconfig(&all);
    }
    ~Configured() { _tile_loadconfig(&before); }
};

template <Order ORDER, bool TALL, bool WIDE, typename Step>
inline void tiles(const uint16 *a, jlong row, const uint16 *b, jlong k, float *sums, Step step) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (jlong i = 0; i < k; i += PAIR, b += SQUARE) {
        _tile_loadd(4, a + i, row * 2);
        _tile_loadd(6, b, ORDER.next * 2);
        _tile_dpbf16ps(0, 4, 6);
        if (WIDE) {
            _tile_loadd(7, b + ORDER.half, ORDER.next * 2);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (TALL) {
            _tile_loadd(5, a + TILE * row + i, row * 2);
            _tile_dpbf16ps(2, 5, 6);
            if (WIDE) {
                _tile_dpbf16ps(3, 5, 7);
            }
        }
        step();
    }
    _tile_stored(0, sums, 128);
    _tile_stored(1, sums + TILE, 128);
    if (TALL) {
        _tile_stored(2, sums + TILE * PAIR, 128);
        _tile_stored(3, sums + TILE * PAIR + TILE, 128);
    }
}

// Rows of a [32, k], of which so many are asked for, times as many columns of b; step is done for each 32 of k.
template <Order ORDER, typename Step>
inline void multiply(
    const uint16 *a, jlong row, jlong rows, const uint16 *b, jlong columns, jlong k, float *sums, Step step) {
    if (rows > TILE) {
        columns > TILE ? tiles<ORDER, true, true>(a, row, b, k, sums, step) : tiles<ORDER, true, false>(a, row, b, k, sums, step);
    } else {
        columns > TILE ? tiles<ORDER, false, true>(a, row, b, k, sums, step) : tiles<ORDER, false, false>(a, row, b, k, sums, step);
    }
}

#else

struct Configured {
    ~Configured() {}
};

template <Order ORDER, int ROWS, bool WIDE, typename Step>
inline void some(const uint16 *a, jlong row, const uint16 *b, jlong k, float *sums, Step step) {
    __m512 low[ROWS] = {};
    __m512 high[ROWS] = {};
    for (jlong i = 0; i < k; i += PAIR, b += SQUARE) {
        const jlong pairs = least(TILE, (k - i + 1) / 2);
        const uint16 *its = a + i;
        const uint16 *pair = b;
        for (jlong p = 0; p < pairs; p++, pair += ORDER.next, its += 2) {
            const __m512bh left = __builtin_bit_cast(__m512bh, _mm512_loadu_si512(pair));
            const __m512bh right = __builtin_bit_cast(__m512bh, _mm512_loadu_si512(pair + ORDER.half));
#pragma clang loop unroll(full)
            for (int r = 0; r < ROWS; r++) {
                int two;
                __builtin_memcpy(&two, its + r * row, 4);
                const __m512bh x = __builtin_bit_cast(__m512bh, _mm512_set1_epi32(two));
                low[r] = _mm512_dpbf16_ps(low[r], x, left);
                if (WIDE) {
                    high[r] = _mm512_dpbf16_ps(high[r], x, right);
                }
            }
        }
        step();
    }
    for (int r = 0; r < ROWS; r++) {
        _mm512_store_ps(sums + r * PAIR, low[r]);
        _mm512_store_ps(sums + r * PAIR + TILE, high[r]);
    }
}

template <Order ORDER, int ROWS, typename Step>
inline void some(
    const uint16 *a, jlong row, jlong start, const uint16 *b, jlong columns, jlong k, float *sums, Step step) {
    columns > TILE ? some<ORDER, ROWS, true>(a + start * row, row, b, k, sums + start * PAIR, step)
                   : some<ORDER, ROWS, false>(a + start * row, row, b, k, sums + start * PAIR, step);
}

// Rows of a [32, k], of which so many are asked for, times as many columns of b; step is done for each 32 of k.
template <Order ORDER, typename Step>
inline void multiply(
    const uint16 *a, jlong row, jlong rows, const uint16 *b, jlong columns, jlong k, float *sums, Step step) {
    const auto nothing = [] {};
    if (rows <= 2) {
        some<ORDER, 2>(a, row, 0, b, columns, k, sums, step);
    } else if (rows <= 4) {
        some<ORDER, 4>(a, row, 0, b, columns, k, sums, step);
    } else if (rows <= 8) {
        some<ORDER, 8>(a, row, 0, b, columns, k, sums, step);
    } else {
        some<ORDER, 11>(a, row, 0, b, columns, k, sums, step);
        if (rows > 11) {
            some<ORDER, 11>(a, row, 11, b, columns, k, sums, nothing);
        }
        if (rows > 22) {
            some<ORDER, 10>(a, row, 22, b, columns, k, sums, nothing);
        }
    }
}

#endif

}  // namespace
