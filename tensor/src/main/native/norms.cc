// Norms of rows, and what ends a block of post-norm models.

#include "masks.h"
#include "recording.h"
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
    float *__restrict s, float *__restrict y, jlong from, jlong to, jlong n, float eps, Drop drop) {
    float masks[LONGEST];
    h += from * n, x += from * n, s += from * n, y += from * n;
    for (jlong row = from; row < to; row++, h += n, x += n, s += n, y += n) {
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
    X *__restrict dx, bool add, jlong from, jlong to, jlong n, float eps, Drop drop) {
    float masks[LONGEST];
    float ds[LONGEST];
    s += from * n, dy += from * n;
    dh = dh ? dh + from * n : nullptr;
    dx = dx ? dx + from * n : nullptr;
    for (jlong row = from; row < to; row++, s += n, dy += n) {
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

NATIVE(void, FusedNorm, rmsNorm)
(JNIEnv *, jclass, jlong h, jint hBf16, jlong w, jlong y, jint yBf16, jlong rows, jlong n, jfloat eps, jint threads) {
    perform([=] {
        const auto norm = [&](const auto *hs, auto *ys) {
            shared(rows, threads, [&](jlong from, jlong to) {
                rms_norm(hs + from * n, at<const float>(w), ys + from * n, to - from, n, eps);
            });
        };
        if (hBf16) {
            yBf16 ? norm(at<bf16>(h), at<bf16>(y)) : norm(at<bf16>(h), at<float>(y));
        } else {
            yBf16 ? norm(at<float>(h), at<bf16>(y)) : norm(at<float>(h), at<float>(y));
        }
    });
}

NATIVE(void, FusedNorm, rmsNormBackward)
(JNIEnv *, jclass, jlong h, jint hBf16, jlong w, jlong dy, jint dyBf16, jlong dh, jint sum, jlong rows, jlong n, jfloat eps,
 jint threads) {
    const auto back = [&](const auto *hs, const auto *dys, auto *dhs) {
        shared(rows, threads, [&](jlong from, jlong to) {
            rms_norm_backward(
                hs + from * n, at<const float>(w), dys + from * n, dhs + from * n, to - from, n, eps, sum);
        });
    };
    if (hBf16) {
        dyBf16 ? back(at<bf16>(h), at<bf16>(dy), at<bf16>(dh)) : back(at<bf16>(h), at<float>(dy), at<bf16>(dh));
    } else {
        dyBf16 ? back(at<float>(h), at<bf16>(dy), at<float>(dh)) : back(at<float>(h), at<float>(dy), at<float>(dh));
    }
}

NATIVE(void, FusedNorm, layerNorm)(JNIEnv *, jclass, jlong x, jlong w, jlong b, jlong y, jlong rows, jlong n, jfloat eps, jint threads) {
    perform([=] {
        shared(rows, threads, [&](jlong from, jlong to) {
            for (jlong row = from; row < to; row++) {
                layer_norm(at<float>(x) + row * n, at<float>(w), at<float>(b), at<float>(y) + row * n, n, eps);
            }
        });
    });
}

NATIVE(void, FusedNorm, postNorm)
(JNIEnv *, jclass, jlong h, jlong x, jint xBf16, jlong w, jlong b, jlong s, jlong y, jlong rows, jlong n, jfloat eps,
 jlong state, jint bound, jfloat scale, jint threads) {
    const Drop drop = {static_cast<uint64>(state), static_cast<uint32>(bound), scale};
    const auto norm = [&](const auto *xs) {
        shared(rows, threads, [&](jlong from, jlong to) {
            post_norm(
                at<float>(h), xs, at<float>(w), at<float>(b), at<float>(s), at<float>(y), from, to, n, eps, drop);
        });
    };
    xBf16 ? norm(at<bf16>(x)) : norm(at<float>(x));
}

NATIVE(void, FusedNorm, postNormBackward)
(JNIEnv *, jclass, jlong s, jlong w, jlong dy, jlong dh, jint sum, jlong dx, jint dxBf16, jlong rows, jlong n, jfloat eps,
 jlong state, jint bound, jfloat scale, jint threads) {
    const Drop drop = {static_cast<uint64>(state), static_cast<uint32>(bound), scale};
    const auto back = [&](auto *dxs) {
        shared(rows, threads, [&](jlong from, jlong to) {
            post_norm_backward(
                at<float>(s), at<float>(w), at<float>(dy), at<float>(dh), dxs, sum, from, to, n, eps, drop);
        });
    };
    dxBf16 ? back(at<bf16>(dx)) : back(at<float>(dx));
}
