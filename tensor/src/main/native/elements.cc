// Sums, rotation, dropout and copies, value by value.

#include "masks.h"
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

NATIVE(add)(void *, void *, jlong a, jint aBf16, jlong b, jint bBf16, jlong y, jlong n) {
    if (aBf16) {
        bBf16 ? add(at<const bf16>(a), at<const bf16>(b), at<bf16>(y), n)
              : add(at<const bf16>(a), at<const float>(b), at<bf16>(y), n);
    } else {
        bBf16 ? add(at<const float>(a), at<const bf16>(b), at<float>(y), n)
              : add(at<const float>(a), at<const float>(b), at<float>(y), n);
    }
}

NATIVE(addTo)(void *, void *, jlong a, jint aBf16, jlong b, jint bBf16, jlong n) {
    if (aBf16) {
        bBf16 ? add_to(at<bf16>(a), at<const bf16>(b), n) : add_to(at<bf16>(a), at<const float>(b), n);
    } else {
        bBf16 ? add_to(at<float>(a), at<const bf16>(b), n) : add_to(at<float>(a), at<const float>(b), n);
    }
}

// x [batch, heads, seq, d] by strides; cosines and sines [batch or 1, seq, turned]
template <typename T, typename A>
static void rotate_all(
    const T *x, const A *cos, const A *sin, T *y, float sign, jlong batch, jlong heads, jlong seq, jlong d,
    jlong turned, jlong xb, jlong xh, jlong xs, jlong yb, jlong yh, jlong ys, jlong angles) {
    for (jlong b = 0; b < batch; b++) {
        for (jlong s = 0; s < seq; s++) {
            jlong angle = b * angles + s * turned;
            for (jlong h = 0; h < heads; h++) {
                rotate(x + b * xb + h * xh + s * xs, cos + angle, sin + angle, y + b * yb + h * yh + s * ys, sign, d,
                       turned);
            }
        }
    }
}

NATIVE(rotate)
(void *, void *, jlong x, jint isBf16, jlong cos, jlong sin, jint anglesBf16, jlong y, jfloat sign, jlong batch,
 jlong heads, jlong seq, jlong d, jlong turned, jlong xb, jlong xh, jlong xs, jlong yb, jlong yh, jlong ys,
 jlong angles) {
    if (isBf16) {
        anglesBf16 ? rotate_all(at<const bf16>(x), at<const bf16>(cos), at<const bf16>(sin), at<bf16>(y), sign, batch,
                                heads, seq, d, turned, xb, xh, xs, yb, yh, ys, angles)
                   : rotate_all(at<const bf16>(x), at<const float>(cos), at<const float>(sin), at<bf16>(y), sign,
                                batch, heads, seq, d, turned, xb, xh, xs, yb, yh, ys, angles);
    } else {
        rotate_all(at<const float>(x), at<const float>(cos), at<const float>(sin), at<float>(y), sign, batch, heads,
                   seq, d, turned, xb, xh, xs, yb, yh, ys, angles);
    }
}

NATIVE(dropout)(void *, void *, jlong x, jlong y, jint isBf16, jlong n, jlong state, jint bound, jfloat scale) {
    const uint64 from = static_cast<uint64>(state);
    const uint32 least = static_cast<uint32>(bound);
    isBf16 ? dropout(at<const bf16>(x), at<bf16>(y), n, from, least, scale)
           : dropout(at<const float>(x), at<float>(y), n, from, least, scale);
}

// [a, b, c, n] by strides of the first three
NATIVE(copy)
(void *, void *, jlong x, jlong xA, jlong xB, jlong xC, jlong y, jlong yA, jlong yB, jlong yC, jint isBf16, jlong a,
 jlong b, jlong c, jlong n, jfloat scale) {
    for (jlong i = 0; i < a; i++) {
        for (jlong j = 0; j < b; j++) {
            for (jlong k = 0; k < c; k++) {
                const jlong from = i * xA + j * xB + k * xC;
                const jlong to = i * yA + j * yB + k * yC;
                isBf16 ? scaled(at<const bf16>(x) + from, at<bf16>(y) + to, n, scale)
                       : scaled(at<const float>(x) + from, at<float>(y) + to, n, scale);
            }
        }
    }
}

NATIVE(cast)(void *, void *, jlong x, jint xBf16, jlong y, jlong n) {
    xBf16 ? scaled(at<const bf16>(x), at<float>(y), n, 1.0f) : scaled(at<const float>(x), at<bf16>(y), n, 1.0f);
}
