// Activations of gated and plain feed-forward layers.

#include "recording.h"
#include "values.h"

// 1 / (1 + e^-x)
static inline float sigmoid(float x) { return x < -87.0f ? 0.0f : 1.0f / (1.0f + exponential(-x)); }

// The chance of a normal variable below x, from the chance beyond |x| (Abramowitz and Stegun, 7.1.26), and its density.
struct Normal {
    float below;
    float density;
};

static inline Normal normal(float x) {
    float z = __builtin_fabsf(x) * 0.70710678118654752f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float e = exponential(-z * z);
    float beyond = 0.5f * p * t * e;
    return {x < 0.0f ? beyond : 1.0f - beyond, 0.39894228040143268f * e};
}

struct Silu {
    static inline float value(float x) { return x * sigmoid(x); }
    static inline float slope(float x) {
        float s = sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    }
};

struct Gelu {
    static inline float value(float x) { return x * normal(x).below; }
    static inline float slope(float x) {
        Normal n = normal(x);
        return n.below + x * n.density;
    }
};

// x = f(g) u
template <typename F, typename T>
static void gate(
    const T *__restrict g, jlong next_g, const T *__restrict u, jlong next_u, T *__restrict x, jlong rows, jlong n) {
    for (jlong row = 0; row < rows; row++, g += next_g, x += n) {
        if (u) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(x + i, F::value(load(g + i)) * load(u + i));
            }
            u += next_u;
        } else {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(x + i, F::value(load(g + i)));
            }
        }
    }
}

// du = dx f(g), and in place of dx dg = dx u f'(g).
template <typename F, typename T>
static void gate_backward(const T *__restrict g, const T *__restrict u, T *__restrict dx, T *__restrict du, jlong rows, jlong n) {
    for (jlong row = 0; row < rows; row++, g += n, dx += n) {
        if (u) {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                float at = load(g + i);
                float back = load(dx + i);
                store(dx + i, back * load(u + i) * F::slope(at));
                store(du + i, back * F::value(at));
            }
            u += n;
            du += n;
        } else {
            EACH_VALUE
            for (jlong i = 0; i < n; i++) {
                store(dx + i, load(dx + i) * F::slope(load(g + i)));
            }
        }
    }
}

NATIVE(void, FusedOps, gate)
(JNIEnv *, jclass, jint function, jint isBf16, jlong g, jlong nextG, jlong u, jlong nextU, jlong x, jlong rows, jlong n,
 jint threads) {
    perform([=] {
        const auto run = [&](auto f, auto *xs) {
            using T = __remove_pointer(decltype(xs));
            shared(rows, threads, [&](jlong from, jlong to) {
                const T *us = u ? at<T>(u) + from * nextU : nullptr;
                gate<decltype(f)>(at<T>(g) + from * nextG, nextG, us, nextU, xs + from * n, to - from, n);
            });
        };
        if (isBf16) {
            function ? run(Gelu{}, at<bf16>(x)) : run(Silu{}, at<bf16>(x));
        } else {
            function ? run(Gelu{}, at<float>(x)) : run(Silu{}, at<float>(x));
        }
    });
}

NATIVE(void, FusedOps, gateBackward)
(JNIEnv *, jclass, jint function, jint isBf16, jlong g, jlong u, jlong dx, jlong du, jlong rows, jlong n, jint threads) {
    const auto run = [&](auto f, auto *dxs) {
        using T = __remove_pointer(decltype(dxs));
        shared(rows, threads, [&](jlong from, jlong to) {
            const T *us = u ? at<T>(u) + from * n : nullptr;
            T *dus = u ? at<T>(du) + from * n : nullptr;
            gate_backward<decltype(f)>(at<T>(g) + from * n, us, dxs + from * n, dus, to - from, n);
        });
    };
    if (isBf16) {
        function ? run(Gelu{}, at<bf16>(dx)) : run(Silu{}, at<bf16>(dx));
    } else {
        function ? run(Gelu{}, at<float>(dx)) : run(Silu{}, at<float>(dx));
    }
}
