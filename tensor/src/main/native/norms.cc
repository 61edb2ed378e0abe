// Norms of rows, and what ends a block of post-norm models.

#include "masks.h"
#include "values.h"

// y = w h / sqrt(mean h^2 + eps)
template <typename H>
static inline float inverse(const H *__restrict h, jlong n, float eps) {
    float squares = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        float x = load(h + i);
        squares += x * x;
    }
    return 1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + eps);
}

template <typename H, typename Y>
static void rms_norm(const H *__restrict h, const float *__restrict w, Y *__restrict y, jlong rows, jlong n, float eps) {
    for (jlong row = 0; row < rows; row++, h += n, y += n) {
        float r = inverse(h, n, eps);
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            store(y + i, load(h + i) * r * w[i]);
        }
    }
}

// With u = w dy: dh (+)= r u - r^3 / n (u h) h
template <typename H, typename Y>
static void rms_norm_backward(
    const H *__restrict h, const float *__restrict w, const Y *__restrict dy, H *__restrict dh, jlong rows, jlong n, float eps, bool add) {
    for (jlong row = 0; row < rows; row++, h += n, dy += n, dh += n) {
        float r = inverse(h, n, eps);
        float along = 0.0f;
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            along += load(dy + i) * w[i] * load(h + i);
        }
        float back = along * r * r * r / static_cast<float>(n);
        if (add) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(dh + i, load(dh + i) + (load(dy + i) * w[i] * r - back * load(h + i)));
            }
        } else {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(dh + i, load(dy + i) * w[i] * r - back * load(h + i));
            }
        }
    }
}

struct Moments {
    float mean;
    float inverse;
};

static inline Moments moments(const float *__restrict x, jlong n, float eps) {
    float sum = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        sum += x[i];
    }
    const float mean = sum / static_cast<float>(n);
    float squares = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
    }
    return {mean, 1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + eps)};
}

// y = w (s - mean s) / sqrt(var s + eps) + b
__attribute__((noinline)) static void layer_norm(
    const float *__restrict s, const float *__restrict w, const float *__restrict b, float *__restrict y, jlong n,
    float eps) {
    const Moments m = moments(s, n, eps);
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        y[i] = (s[i] - m.mean) * m.inverse * w[i] + b[i];
    }
}

struct Drop {
    uint64 state;
    uint32 bound;
    float scale;

    bool drops() const { return bound > 0; }
    // The masks of n values of a row, n a multiple of four and at most LONGEST.
    void row(jlong row, jlong n, float *masks) const {
        mask(state + static_cast<uint64>(row * n / 4) * STEP, bound, scale, n, masks);
    }
};

constexpr jlong LONGEST = 4096;

// s = h + mask x and its layer norm y
template <typename X>
static void post_norm(
    const float *__restrict h, const X *__restrict x, const float *__restrict w, const float *__restrict b,
    float *__restrict s, float *__restrict y, jlong rows, jlong n, float eps, Drop drop) {
    float masks[LONGEST];
    for (jlong row = 0; row < rows; row++, h += n, x += n, s += n, y += n) {
        if (drop.drops()) {
            drop.row(row, n, masks);
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                s[i] = h[i] + load(x + i) * masks[i];
            }
        } else {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                s[i] = h[i] + load(x + i);
            }
        }
        layer_norm(s, w, b, y, n, eps);
    }
}

// The gradient ds, which dh gets (or has added) and, times the mask, dx gets; each may be absent.
template <typename X>
static void post_norm_backward(
    const float *__restrict s, const float *__restrict w, const float *__restrict dy, float *__restrict dh,
    X *__restrict dx, bool add, jlong rows, jlong n, float eps, Drop drop) {
    float masks[LONGEST];
    float ds[LONGEST];
    for (jlong row = 0; row < rows; row++, s += n, dy += n) {
        const Moments m = moments(s, n, eps);
        float even = 0.0f;
        float along = 0.0f;
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            float g = dy[i] * w[i];
            even += g;
            along += g * (s[i] - m.mean);
        }
        even /= static_cast<float>(n);
        along *= m.inverse * m.inverse / static_cast<float>(n);
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            ds[i] = m.inverse * (dy[i] * w[i] - even - (s[i] - m.mean) * along);
        }
        if (dh && add) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                dh[i] += ds[i];
            }
        } else if (dh) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                dh[i] = ds[i];
            }
        }
        if (dx && drop.drops()) {
            drop.row(row, n, masks);
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(dx + i, ds[i] * masks[i]);
            }
        } else if (dx) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(dx + i, ds[i]);
            }
        }
        dh = dh ? dh + n : nullptr;
        dx = dx ? dx + n : nullptr;
    }
}

NATIVE(rmsNorm)(void *, void *, jlong h, jint hBf16, jlong w, jlong y, jint yBf16, jlong rows, jlong n, jfloat eps) {
    const float *by = at<const float>(w);
    if (hBf16) {
        yBf16 ? rms_norm(at<const bf16>(h), by, at<bf16>(y), rows, n, eps)
              : rms_norm(at<const bf16>(h), by, at<float>(y), rows, n, eps);
    } else {
        yBf16 ? rms_norm(at<const float>(h), by, at<bf16>(y), rows, n, eps)
              : rms_norm(at<const float>(h), by, at<float>(y), rows, n, eps);
    }
}

NATIVE(rmsNormBackward)
(void *, void *, jlong h, jint hBf16, jlong w, jlong dy, jint dyBf16, jlong dh, jint sum, jlong rows, jlong n, jfloat eps) {
    const float *by = at<const float>(w);
    if (hBf16) {
        dyBf16 ? rms_norm_backward(at<const bf16>(h), by, at<const bf16>(dy), at<bf16>(dh), rows, n, eps, sum)
               : rms_norm_backward(at<const bf16>(h), by, at<const float>(dy), at<bf16>(dh), rows, n, eps, sum);
    } else {
        dyBf16 ? rms_norm_backward(at<const float>(h), by, at<const bf16>(dy), at<float>(dh), rows, n, eps, sum)
               : rms_norm_backward(at<const float>(h), by, at<const float>(dy), at<float>(dh), rows, n, eps, sum);
    }
}

NATIVE(layerNorm)(void *, void *, jlong x, jlong w, jlong b, jlong y, jlong rows, jlong n, jfloat eps) {
    for (jlong row = 0; row < rows; row++) {
        layer_norm(at<const float>(x) + row * n, at<const float>(w), at<const float>(b), at<float>(y) + row * n, n, eps);
    }
}

NATIVE(postNorm)
(void *, void *, jlong h, jlong x, jint xBf16, jlong w, jlong b, jlong s, jlong y, jlong rows, jlong n, jfloat eps,
 jlong state, jint bound, jfloat scale) {
    const Drop drop = {static_cast<uint64>(state), static_cast<uint32>(bound), scale};
    const float *hs = at<const float>(h), *ws = at<const float>(w), *bs = at<const float>(b);
    xBf16 ? post_norm(hs, at<const bf16>(x), ws, bs, at<float>(s), at<float>(y), rows, n, eps, drop)
          : post_norm(hs, at<const float>(x), ws, bs, at<float>(s), at<float>(y), rows, n, eps, drop);
}

NATIVE(postNormBackward)
(void *, void *, jlong s, jlong w, jlong dy, jlong dh, jint sum, jlong dx, jint dxBf16, jlong rows, jlong n, jfloat eps,
 jlong state, jint bound, jfloat scale) {
    const Drop drop = {static_cast<uint64>(state), static_cast<uint32>(bound), scale};
    const float *ss = at<const float>(s), *ws = at<const float>(w), *dys = at<const float>(dy);
    dxBf16 ? post_norm_backward(ss, ws, dys, at<float>(dh), at<bf16>(dx), sum, rows, n, eps, drop)
           : post_norm_backward(ss, ws, dys, at<float>(dh), at<float>(dx), sum, rows, n, eps, drop);
}
