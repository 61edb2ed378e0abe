// The softmax of scores, and the loss that is made of one.

#include "recording.h"
#include "values.h"

// y = softmax(x + mask)
template <typename T>
static void softmax(T *__restrict x, jlong n, const T *__restrict mask, jlong masked) {
    T *last = x + (n - masked);
    if (mask) {
        EACH_VALUE
        for (jlong i = 0; i < masked; i++) {
            store(last + i, load(last + i) + load(mask + i));
        }
    }
    float most = -__builtin_inff();
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        most = __builtin_elementwise_maximum(most, load(x + i));
    }
    // What is made in fp32 stays there until it is divided, as much as fits.
    constexpr jlong KEPT = 2048;
    float kept[KEPT];
    const jlong some = n < KEPT ? n : KEPT;
    float sum = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < some; i++) {
        kept[i] = exponential(load(x + i) - most);
        sum += kept[i];
    }
    EACH_VALUE
    for (jlong i = some; i < n; i++) {
        sum += exponential(load(x + i) - most);
    }
    float factor = 1.0f / sum;
    EACH_VALUE
    for (jlong i = 0; i < some; i++) {
        store(x + i, kept[i] * factor);
    }
    EACH_VALUE
    for (jlong i = some; i < n; i++) {
        store(x + i, exponential(load(x + i) - most) * factor);
    }
}

// dp = p (dp - sum p dp)
template <typename T>
static void softmax_backward(const T *__restrict p, T *__restrict dp, jlong n) {
    float sum = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        sum += load(p + i) * load(dp + i);
    }
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        store(dp + i, load(p + i) * (load(dp + i) - sum));
    }
}

// The natural logarithm of a positive number (Moshier's Cephes, logf).
static inline float logarithm(float x) {
    int32 all = bits<int32>(x);
    float e = static_cast<float>((all >> 23) - 126);
    float m = bits<float>((all & 0x007fffff) | 0x3f000000);
    if (m < 0.70710678f) {
        e -= 1.0f;
        m += m;
    }
    m -= 1.0f;
    float z = m * m;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    float y = p * m * z - 2.12194440e-4f * e - 0.5f * z;
    return m + y + 0.693359375f * e;
}

// The loss of a row of logits x, log sum e^x - (1 - smoothing) x[label] - smoothing mean x, and in place of x its gradient times w.
template <typename T>
static float cross_entropy(T *__restrict x, jlong n, jlong label, float w, float smoothing) {
    float most = -__builtin_inff();
    float all = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        most = __builtin_elementwise_maximum(most, load(x + i));
    }
    float sum = 0.0f;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        float value = load(x + i) - most;
        sum += exponential(value);
        all += value;
    }
    const float even = smoothing / static_cast<float>(n);
    const float own = load(x + label) - most;
    const float factor = 1.0f / sum;
    const float chance = exponential(own) * factor;
    EACH_VALUE
    for (jlong i = 0; i < n; i++) {
        store(x + i, (exponential(load(x + i) - most) * factor - even) * w);
    }
    store(x + label, (chance - even - (1.0f - smoothing)) * w);
    return logarithm(sum) - (1.0f - smoothing) * own - even * all;
}

// Scores [rows, keys], of which rows / (group queries) have a mask of their own, [.., queries or 1, masked]
NATIVE(void, FusedAttention, softmax)
(JNIEnv *, jclass, jlong x, jint isBf16, jlong rows, jlong keys, jlong mask, jlong masked, jlong queries, jlong each,
 jlong row, jlong next, jint threads) {
    perform([=] {
        const auto run = [&](auto *xs) {
            const auto *masks = at<__remove_pointer(decltype(xs))>(mask);
            shared(rows, threads, [&](jlong from, jlong to) {
                for (jlong i = from; i < to; i++) {
                    const auto *its = masks ? masks + i / each * next + i % queries * row : nullptr;
                    softmax(xs + i * keys, keys, its, masked);
                }
            });
        };
        isBf16 ? run(at<bf16>(x)) : run(at<float>(x));
    });
}

NATIVE(void, FusedAttention, softmaxBackward)(JNIEnv *, jclass, jlong p, jlong dp, jint isBf16, jlong rows, jlong keys, jint threads) {
    const auto run = [&](auto *dps) {
        const auto *ps = at<__remove_pointer(decltype(dps))>(p);
        shared(rows, threads, [&](jlong from, jlong to) {
            for (jlong i = from; i < to; i++) {
                softmax_backward(ps + i * keys, dps + i * keys, keys);
            }
        });
    };
    isBf16 ? run(at<bf16>(dp)) : run(at<float>(dp));
}

NATIVE(void, FusedOps, crossEntropy)
(JNIEnv *, jclass, jlong x, jint isBf16, jlong labels, jlong weights, jlong losses, jlong rows, jlong n, jfloat smoothing,
 jfloat factor, jint threads) {
    const auto run = [&](auto *xs) {
        shared(rows, threads, [&](jlong from, jlong to) {
            for (jlong i = from; i < to; i++) {
                const float w = at<const float>(weights)[i];
                const jlong label = at<const jlong>(labels)[i];
                at<float>(losses)[i] = w * cross_entropy(xs + i * n, n, label, w * factor, smoothing);
            }
        });
    };
    isBf16 ? run(at<bf16>(x)) : run(at<float>(x));
}
