// Values, and what the loops over them have in common. Every row is computed by itself and in the same order whatever stands
// beside it, so that its values don't depend on the rows that share its batch. Sums and functions are in fp32; a value is
// rounded to bf16 when it is stored.

#pragma once

#include "kernels.h"

using int32 = int;
using uint32 = unsigned;
using uint64 = unsigned long long;

struct bf16 {
    unsigned short bits;
};

template <typename To, typename From>
static inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    return __builtin_bit_cast(To, from);
}

static inline float load(const float *from) { return *from; }

static inline float load(const bf16 *from) { return bits<float>(static_cast<uint32>(from->bits) << 16); }

static inline void store(float *to, float value) { *to = value; }

static inline void store(bf16 *to, float value) {
#ifdef __AVX512BF16__
    to->bits = bits<unsigned short>(static_cast<__bf16>(value));
#else
    uint32 all = bits<uint32>(value);
    uint32 rounded = (all + 0x7fffu + (all >> 16 & 1u)) >> 16;
    to->bits = static_cast<unsigned short>(value != value ? 0x7fc0u : rounded);
#endif
}

// A loop over values that may be read and written in any order, as many at once as a register holds in fp32.
#if defined(__AVX512F__)
#define EACH_VALUE _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(2)")
#elif defined(__AVX2__)
#define EACH_VALUE _Pragma("clang loop vectorize(assume_safety) vectorize_width(8) interleave_count(2)")
#else
#define EACH_VALUE _Pragma("clang loop vectorize(assume_safety) vectorize_width(4) interleave_count(2)")
#endif

// e^x = 2^k 2^f, where f is within half of 1 from 0 and 2^f a polynomial that differs from it by 2e-7 at most; 0 below e^-87.
static inline float exponential(float x) {
#pragma clang fp reassociate(off)
    constexpr float SHIFT = 12582912.0f;  // 1.5 times 2^23: the last bits of a sum with it are those of an integer
    float bounded = x > 88.0f ? 88.0f : x;
    float k = __builtin_rintf(bounded * 1.44269504f);
    float f = bounded * 1.44269502f - k + bounded * 1.925963033e-8f;
    float p = 1.326472731e-03f;
    p = p * f + 9.671512991e-03f;
    p = p * f + 5.550733581e-02f;
    p = p * f + 2.402224243e-01f;
    p = p * f + 6.931470037e-01f;
    p = p * f + 1.0f;
    float y = bits<float>(bits<uint32>(p) + (bits<uint32>(k + SHIFT) << 23));
    return x < -87.0f ? 0.0f : y + (bounded - bounded);  // what isn't a number stays so
}
