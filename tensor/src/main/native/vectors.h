// Vectors of 16 values, for loops whose order of sums is said.

#pragma once

#include "values.h"

// How vectors are handed over is nobody else's concern.
#pragma clang diagnostic ignored "-Wpsabi"

namespace {

constexpr jlong LANES = 16;

typedef float Floats __attribute__((vector_size(64)));
typedef uint32 Words __attribute__((vector_size(64)));
typedef unsigned short Halves __attribute__((vector_size(32)));

inline Floats lanes(const float *from) {
    Floats x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

inline Halves halves(const bf16 *from) {
    Halves x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

inline Floats lanes(const bf16 *from) {
    return __builtin_bit_cast(Floats, __builtin_convertvector(halves(from), Words) << 16);
}

template <int... ALL>
struct Sequence {};

// Of each part of twice so many lanes, of one vector and then of the other, the sum of its halves.
template <int WIDTH, int... LANE>
inline Floats halves(Floats a, Floats b, Sequence<LANE...>) {
    return __builtin_shufflevector(a, b, (LANE / WIDTH * 2 * WIDTH + LANE % WIDTH)...) +
           __builtin_shufflevector(a, b, (LANE / WIDTH * 2 * WIDTH + WIDTH + LANE % WIDTH)...);
}

template <int WIDTH>
inline Floats halves(Floats a, Floats b) {
    return halves<WIDTH>(a, b, Sequence<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>());
}

// The sums of twice so many lanes of each part of twice as many vectors.
template <int WIDTH>
inline Floats sums(const Floats *all) {
#pragma clang fp reassociate(off)
    Floats some[WIDTH];
#pragma clang loop unroll(full)
    for (int i = 0; i < WIDTH; i++) {
        some[i] = halves<WIDTH>(all[2 * i], all[2 * i + 1]);
    }
    if constexpr (WIDTH == 1) {
        return some[0];
    } else {
        return sums<WIDTH / 2>(some);
    }
}

// The sums of the lanes of each of 16 vectors.
inline Floats sums(const Floats *all) { return sums<8>(all); }

// The sums of the halves of each of 8 vectors.
inline Floats sums_of_halves(const Floats *all) { return sums<4>(all); }

}  // namespace
