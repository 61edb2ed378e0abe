// The numbers that decide what is dropped.

#pragma once

#include "values.h"

// SplitMix64: each number gives four values, by 16 bits each, lowest first. A value is kept, times scale, where its bits are at least the bound.
static inline uint64 mixed(uint64 z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

constexpr uint64 STEP = 0x9e3779b97f4a7c15ull;

// What the next n values are multiplied by, into a buffer of a multiple of four.
static void mask(uint64 state, uint32 bound, float scale, jlong n, float *__restrict to) {
    EACH_VALUE
    for (jlong i = 0; i < (n + 3) / 4; i++) {
        uint64 z = mixed(state + static_cast<uint64>(i + 1) * STEP);
        to[4 * i] = (z & 0xffff) >= bound ? scale : 0.0f;
        to[4 * i + 1] = (z >> 16 & 0xffff) >= bound ? scale : 0.0f;
        to[4 * i + 2] = (z >> 32 & 0xffff) >= bound ? scale : 0.0f;
        to[4 * i + 3] = (z >> 48) >= bound ? scale : 0.0f;
    }
}
