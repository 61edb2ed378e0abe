// Sums, rotation, dropout and copies, value by value.

#include "masks.h"
#include "recording.h"
#include "values.h"

// y = a + b
template <typename A, typename B>
static void add(const A *__restrict a, const B *__restrict b, A *__restrict y, jlong n) {
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        store(y + i, load(a + i) + load(b + i));
    }
}

// a += b
template <typename A, typename B>
static void add_to(A *__restrict a, const B *__restrict b, jlong n) {
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        store(a + i, load(a + i) + load(b + i));
    }
}

// y = x cos + other x sin, where the other one of a pair is half a head away; values beyond those that turn stay.
template <typename T, typename A>
static void rotate(
    const T *__restrict x, const A *__restrict cos, const A *__restrict sin, T *__restrict y, float sign, jlong d,
    jlong turned) {
    jlong half = turned / 2;
    EACH_VALUE
    for (jlong i = 0; i < half; i++) {
        float first = load(x + i);
        float second = load(x + half + i);
        store(y + i, first * load(cos + i) + second * load(sin + i) * sign);
        store(y + half + i, second * load(cos + half + i) + first * load(sin + half + i) * sign);
    }
    for (jlong i = turned; i < d; i++) {
        store(y + i, load(x + i));
    }
}

constexpr jlong PART = 1024;

// y = x times the mask; y may be x, so a part is read whole before it is written.
template <typename T>
static void dropout(const T *x, T *y, jlong n, uint64 state, uint32 bound, float scale) {
    float part[PART];
    for (jlong start = 0; start < n; start += PART) {
        jlong count = n - start < PART ? n - start : PART;
        mask(state + static_cast<uint64>(start / 4) * STEP, bound, scale, count, part);
        EACH_VALUE
        for (jlong i = 0; i < count; i++) {
            part[i] *= load(x + start + i);
        }
        EACH_VALUE
        for (jlong i = 0; i < count; i++) {
            store(y + start + i, part[i]);
        }
    }
}

// y = scale x of the type of y
template <typename X, typename Y>
static void scaled(const X *__restrict x, Y *__restrict y, jlong n, float scale) {
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        store(y + i, load(x + i) * scale);
    }
}

NATIVE(void, FusedOps, add)(JNIEnv *, jclass, jlong a, jint aBf16, jlong b, jint bBf16, jlong y, jlong n, jint threads) {
    perform([=] {
        const auto sum = [&](auto *ys, const auto *bs) {
            const auto *as = at<__remove_pointer(decltype(ys))>(a);
            shared(n, threads, [&](jlong from, jlong to) { add(as + from, bs + from, ys + from, to - from); });
        };
        if (aBf16) {
            bBf16 ? sum(at<bf16>(y), at<bf16>(b)) : sum(at<bf16>(y), at<float>(b));
        } else {
            bBf16 ? sum(at<float>(y), at<bf16>(b)) : sum(at<float>(y), at<float>(b));
        }
    });
}

NATIVE(void, FusedOps, addTo)(JNIEnv *, jclass, jlong a, jint aBf16, jlong b, jint bBf16, jlong n, jint threads) {
    perform([=] {
        const auto sum = [&](auto *as, const auto *bs) {
            shared(n, threads, [&](jlong from, jlong to) { add_to(as + from, bs + from, to - from); });
        };
        if (aBf16) {
            bBf16 ? sum(at<bf16>(a), at<bf16>(b)) : sum(at<bf16>(a), at<float>(b));
        } else {
            bBf16 ? sum(at<float>(a), at<bf16>(b)) : sum(at<float>(a), at<float>(b));
        }
    });
}

// x [batch, heads, seq, d] by strides; cosines and sines [batch or 1, seq, turned]
NATIVE(void, FusedAttention, rotate)
(JNIEnv *, jclass, jlong x, jint isBf16, jlong cos, jlong sin, jint anglesBf16, jlong y, jfloat sign, jlong batch,
 jlong heads, jlong seq, jlong d, jlong turned, jlong xb, jlong xh, jlong xs, jlong yb, jlong yh, jlong ys,
 jlong angles, jint threads) {
    perform([=] {
        const auto turn = [&](auto *to_all, const auto *cosines) {
            const auto *all = at<__remove_pointer(decltype(to_all))>(x);
            const auto *sines = at<__remove_pointer(decltype(cosines))>(sin);
            shared(batch * seq, threads, [&](jlong from, jlong to) {
                for (jlong i = from; i < to; i++) {
                    const jlong b = i / seq;
                    const jlong s = i % seq;
                    const jlong angle = b * angles + s * turned;
                    for (jlong h = 0; h < heads; h++) {
                        rotate(all + b * xb + h * xh + s * xs, cosines + angle, sines + angle,
                               to_all + b * yb + h * yh + s * ys, sign, d, turned);
                    }
                }
            });
        };
        if (isBf16) {
            anglesBf16 ? turn(at<bf16>(y), at<bf16>(cos)) : turn(at<bf16>(y), at<float>(cos));
        } else {
            turn(at<float>(y), at<float>(cos));
        }
    });
}

NATIVE(void, Dropout, dropout)
(JNIEnv *, jclass, jlong x, jlong y, jint isBf16, jlong n, jlong state, jint bound, jfloat scale, jint threads) {
    const auto run = [&](auto *ys) {
        const auto *xs = at<__remove_pointer(decltype(ys))>(x);
        shared((n + PART - 1) / PART, threads, [&](jlong first, jlong end) {
            const jlong from = first * PART;
            const jlong to = end * PART < n ? end * PART : n;
            const uint64 its = static_cast<uint64>(state) + static_cast<uint64>(from / 4) * STEP;
            dropout(xs + from, ys + from, to - from, its, static_cast<uint32>(bound), scale);
        });
    };
    isBf16 ? run(at<bf16>(y)) : run(at<float>(y));
}

// [a, b, c, n] by strides of the first three
NATIVE(void, FusedOps, copy)
(JNIEnv *, jclass, jlong x, jlong xA, jlong xB, jlong xC, jlong y, jlong yA, jlong yB, jlong yC, jint isBf16, jlong a,
 jlong b, jlong c, jlong n, jfloat scale, jint threads) {
    perform([=] {
        const auto run = [&](auto *ys) {
            const auto *xs = at<__remove_pointer(decltype(ys))>(x);
            shared(a * b * c, threads, [&](jlong from, jlong to) {
                for (jlong i = from; i < to; i++) {
                    const jlong first = i / (b * c);
                    const jlong second = i / c % b;
                    const jlong third = i % c;
                    scaled(xs + first * xA + second * xB + third * xC, ys + first * yA + second * yB + third * yC, n, scale);
                }
            });
        };
        isBf16 ? run(at<bf16>(y)) : run(at<float>(y));
    });
}

NATIVE(void, FusedOps, cast)(JNIEnv *, jclass, jlong x, jint xBf16, jlong y, jlong n, jint threads) {
    perform([=] {
        const auto run = [&](const auto *xs, auto *ys) {
            shared(n, threads, [&](jlong from, jlong to) { scaled(xs + from, ys + from, to - from, 1.0f); });
        };
        xBf16 ? run(at<bf16>(x), at<float>(y)) : run(at<float>(x), at<bf16>(y));
    });
}

// The values of codes with a scale for each row.
NATIVE(void, FusedOps, decodeInt8)
(JNIEnv *, jclass, jlong codes, jlong scales, jlong y, jint isBf16, jlong rows, jlong columns, jint threads) {
    const auto run = [=](auto *ys) {
        shared(rows, threads, [&](jlong from, jlong to) {
            for (jlong row = from; row < to; row++) {
                const signed char *__restrict xs = at<signed char>(codes) + row * columns;
                auto *__restrict values = ys + row * columns;
                const float scale = at<float>(scales)[row];
                EACH_VALUE
                for (jlong i = 0; i < columns; i++) {
                    store(values + i, static_cast<float>(xs[i]) * scale);
                }
            }
        });
    };
    isBf16 ? run(at<bf16>(y)) : run(at<float>(y));
}

// Whether none is infinite or no number: those have all bits of the exponent.
NATIVE(jint, FusedOps, finite)(JNIEnv *, jclass, jlong x, jint isBf16, jlong n) {
    constexpr uint32 EXPONENT = 0x7f800000;
    const auto run = [n](const auto *xs) {
        uint32 others = 0;
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            others |= (bits<uint32>(load(xs + i)) & EXPONENT) == EXPONENT;
        }
        return others == 0;
    };
    return isBf16 ? run(at<bf16>(x)) : run(at<float>(x));
}
