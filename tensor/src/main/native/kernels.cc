// What libtorch does in several passes over memory, done in one. Every row is computed by itself and in the same order
// whatever stands beside it, so that its values don't depend on the rows that share its batch. Sums and functions are in
// fp32; a value is rounded to bf16 when it is stored.

using int32 = int;
using uint32 = unsigned;
using uint64 = unsigned long long;
using jlong = long long;
using jint = int;
using jfloat = float;

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
    float bounded = x > 88.0f ? 88.0f : x;
    float k = __builtin_rintf(bounded * 1.44269504f);
    float f = bounded * 1.44269502f - k + bounded * 1.925963033e-8f;
    float p = 1.326472731e-03f;
    p = p * f + 9.671512991e-03f;
    p = p * f + 5.550733581e-02f;
    p = p * f + 2.402224243e-01f;
    p = p * f + 6.931470037e-01f;
    p = p * f + 1.0f;
    float y = bits<float>(bits<int32>(p) + (static_cast<int32>(k) << 23));
    return x < -87.0f ? 0.0f : y;
}

// 1 / (1 + e^-x)
static inline float sigmoid(float x) { return x < -87.0f ? 0.0f : 1.0f / (1.0f + exponential(-x)); }

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

constexpr jlong PART = 1024;

// y = x times the mask, which may be in place
template <typename X, typename Y>
static void dropout(const X *x, Y *y, jlong n, uint64 state, uint32 bound, float scale) {
    float masks[PART];
    for (jlong start = 0; start < n; start += PART) {
        jlong count = n - start < PART ? n - start : PART;
        mask(state + static_cast<uint64>(start / 4) * STEP, bound, scale, count, masks);
        EACH_VALUE
        for (jlong i = 0; i < count; i++) {
            store(y + start + i, load(x + start + i) * masks[i]);
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

// s = h + mask x, y = w (s - mean s) / sqrt(var s + eps) + b
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
        const Moments m = moments(s, n, eps);
        EACH_VALUE
        for (jlong i = 0; i < n; i++) {
            y[i] = (s[i] - m.mean) * m.inverse * w[i] + b[i];
        }
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

constexpr jlong GROUP = 16;   // queries that share a key
constexpr jlong HEAD = 256;   // values of a head
constexpr jlong BLOCK = 64;   // keys at once

// What the queries of one key head, [group, d], are given by n keys and values: the softmax is made a block of keys at a time
// (Milakov and Gimelshein, 2018).
template <typename T, jlong D>
static void attend(
    const float (*__restrict q)[HEAD], const T *__restrict k, const T *__restrict v, jlong n, T *__restrict to,
    jlong group, jlong any) {
    const jlong d = D > 0 ? D : any;
    float answers[GROUP][HEAD];
    float sums[GROUP];
    float most[GROUP];
    for (jlong g = 0; g < group; g++) {
        sums[g] = 0.0f;
        most[g] = -__builtin_inff();
        for (jlong i = 0; i < d; i++) {
            answers[g][i] = 0.0f;
        }
    }
    for (jlong start = 0; start < n; start += BLOCK) {
        const jlong count = n - start < BLOCK ? n - start : BLOCK;
        float scores[GROUP][BLOCK];
        for (jlong p = 0; p < count; p++) {
            float key[HEAD];
            EACH_VALUE
            for (jlong i = 0; i < d; i++) {
                key[i] = load(k + (start + p) * d + i);
            }
            for (jlong g = 0; g < group; g++) {
                float score = 0.0f;
                EACH_VALUE
                for (jlong i = 0; i < d; i++) {
                    score += q[g][i] * key[i];
                }
                scores[g][p] = score;
            }
        }
        for (jlong g = 0; g < group; g++) {
            float largest = most[g];
            for (jlong p = 0; p < count; p++) {
                largest = __builtin_elementwise_maximum(largest, scores[g][p]);
            }
            const float before = exponential(most[g] - largest);
            most[g] = largest;
            float sum = 0.0f;
            EACH_VALUE
            for (jlong p = 0; p < count; p++) {
                scores[g][p] = exponential(scores[g][p] - largest);
                sum += scores[g][p];
            }
            sums[g] = sums[g] * before + sum;
            EACH_VALUE
            for (jlong i = 0; i < d; i++) {
                answers[g][i] *= before;
            }
        }
        for (jlong g = 0; g < group; g++) {
            float answer[HEAD];
            for (jlong i = 0; i < d; i++) {
                answer[i] = answers[g][i];
            }
            for (jlong p = 0; p < count; p++) {
                const float weight = scores[g][p];
                const T *value = v + (start + p) * d;
                EACH_VALUE
                for (jlong i = 0; i < d; i++) {
                    answer[i] += weight * load(value + i);
                }
            }
            for (jlong i = 0; i < d; i++) {
                answers[g][i] = answer[i];
            }
        }
    }
    for (jlong g = 0; g < group; g++) {
        const float factor = 1.0f / sums[g];
        EACH_VALUE
        for (jlong i = 0; i < d; i++) {
            store(to + g * d + i, answers[g][i] * factor);
        }
    }
}

struct Strides {
    jlong row;
    jlong head;
};

// A position of each row: its key and value come behind those that the row has, and its queries attend to all of them.
template <typename T>
static void attend_next(
    const T *q, Strides qs, const T *key, Strides ks, const T *value, Strides vs, T *keys, T *values,
    const jlong *places, T *to, jlong rows, jlong heads, jlong group, jlong d, jlong capacity, float scale) {
    for (jlong row = 0; row < rows; row++) {
        for (jlong head = 0; head < heads; head++) {
            T *its_keys = keys + (row * heads + head) * capacity * d;
            T *its_values = values + (row * heads + head) * capacity * d;
            const jlong place = places[row];
            float queries[GROUP][HEAD];
            for (jlong g = 0; g < group; g++) {
                const T *from = q + row * qs.row + (head * group + g) * qs.head;
                for (jlong i = 0; i < d; i++) {
                    queries[g][i] = load(from + i) * scale;
                }
            }
            for (jlong i = 0; i < d; i++) {
                its_keys[place * d + i] = key[row * ks.row + head * ks.head + i];
                its_values[place * d + i] = value[row * vs.row + head * vs.head + i];
            }
            T *its = to + (row * heads + head) * group * d;
            switch (d) {
                case 64: attend<T, 64>(queries, its_keys, its_values, place + 1, its, group, d); break;
                case 128: attend<T, 128>(queries, its_keys, its_values, place + 1, its, group, d); break;
                default: attend<T, 0>(queries, its_keys, its_values, place + 1, its, group, d);
            }
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

#define NATIVE(name) extern "C" __attribute__((visibility("default"))) void Java_dev_graft_tensor_Kernels_##name

template <typename T>
static inline T *at(jlong address) {
    return reinterpret_cast<T *>(address);
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

NATIVE(gate)
(void *, void *, jint function, jint isBf16, jlong g, jlong nextG, jlong u, jlong nextU, jlong x, jlong rows, jlong n) {
    if (isBf16) {
        const bf16 *gs = at<const bf16>(g), *us = at<const bf16>(u);
        function ? gate<Gelu>(gs, nextG, us, nextU, at<bf16>(x), rows, n)
                 : gate<Silu>(gs, nextG, us, nextU, at<bf16>(x), rows, n);
    } else {
        const float *gs = at<const float>(g), *us = at<const float>(u);
        function ? gate<Gelu>(gs, nextG, us, nextU, at<float>(x), rows, n)
                 : gate<Silu>(gs, nextG, us, nextU, at<float>(x), rows, n);
    }
}

NATIVE(gateBackward)
(void *, void *, jint function, jint isBf16, jlong g, jlong u, jlong dx, jlong du, jlong rows, jlong n) {
    if (isBf16) {
        const bf16 *gs = at<const bf16>(g), *us = at<const bf16>(u);
        function ? gate_backward<Gelu>(gs, us, at<bf16>(dx), at<bf16>(du), rows, n)
                 : gate_backward<Silu>(gs, us, at<bf16>(dx), at<bf16>(du), rows, n);
    } else {
        const float *gs = at<const float>(g), *us = at<const float>(u);
        function ? gate_backward<Gelu>(gs, us, at<float>(dx), at<float>(du), rows, n)
                 : gate_backward<Silu>(gs, us, at<float>(dx), at<float>(du), rows, n);
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

// Scores [rows, keys], of which rows / (group queries) have a mask of their own, [.., queries or 1, masked]
template <typename T>
static void softmax_all(
    T *x, jlong rows, jlong keys, const T *mask, jlong masked, jlong queries, jlong each, jlong row, jlong next) {
    for (jlong i = 0; i < rows; i++) {
        const T *its = mask ? mask + i / each * next + i % queries * row : nullptr;
        softmax(x + i * keys, keys, its, masked);
    }
}

NATIVE(softmax)
(void *, void *, jlong x, jint isBf16, jlong rows, jlong keys, jlong mask, jlong masked, jlong queries, jlong each,
 jlong row, jlong next) {
    isBf16 ? softmax_all(at<bf16>(x), rows, keys, at<const bf16>(mask), masked, queries, each, row, next)
           : softmax_all(at<float>(x), rows, keys, at<const float>(mask), masked, queries, each, row, next);
}

NATIVE(softmaxBackward)(void *, void *, jlong p, jlong dp, jint isBf16, jlong rows, jlong keys) {
    for (jlong row = 0; row < rows; row++) {
        isBf16 ? softmax_backward(at<const bf16>(p) + row * keys, at<bf16>(dp) + row * keys, keys)
               : softmax_backward(at<const float>(p) + row * keys, at<float>(dp) + row * keys, keys);
    }
}

NATIVE(crossEntropy)
(void *, void *, jlong x, jint isBf16, jlong labels, jlong weights, jlong losses, jlong rows, jlong n, jfloat smoothing,
 jfloat factor) {
    for (jlong row = 0; row < rows; row++) {
        const jlong label = at<const jlong>(labels)[row];
        const float w = at<const float>(weights)[row];
        const float loss = isBf16 ? cross_entropy(at<bf16>(x) + row * n, n, label, w * factor, smoothing)
                                  : cross_entropy(at<float>(x) + row * n, n, label, w * factor, smoothing);
        at<float>(losses)[row] = w * loss;
    }
}

NATIVE(dropout)(void *, void *, jlong x, jlong y, jint isBf16, jlong n, jlong state, jint bound, jfloat scale) {
    const uint64 from = static_cast<uint64>(state);
    isBf16 ? dropout(at<const bf16>(x), at<bf16>(y), n, from, static_cast<uint32>(bound), scale)
           : dropout(at<const float>(x), at<float>(y), n, from, static_cast<uint32>(bound), scale);
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

NATIVE(attendNext)
(void *, void *, jint isBf16, jlong q, jlong qRow, jlong qHead, jlong key, jlong keyRow, jlong keyHead, jlong value,
 jlong valueRow, jlong valueHead, jlong keys, jlong values, jlong places, jlong to, jlong rows, jlong heads,
 jlong group, jlong d, jlong capacity, jfloat scale) {
    const Strides qs = {qRow, qHead}, ks = {keyRow, keyHead}, vs = {valueRow, valueHead};
    const jlong *behind = at<const jlong>(places);
    isBf16 ? attend_next(at<const bf16>(q), qs, at<const bf16>(key), ks, at<const bf16>(value), vs, at<bf16>(keys),
                         at<bf16>(values), behind, at<bf16>(to), rows, heads, group, d, capacity, scale)
           : attend_next(at<const float>(q), qs, at<const float>(key), ks, at<const float>(value), vs, at<float>(keys),
                         at<float>(values), behind, at<float>(to), rows, heads, group, d, capacity, scale);
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
