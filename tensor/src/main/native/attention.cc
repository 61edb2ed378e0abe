// Attention of texts that are written, a token at a time.

#include "recording.h"
#include "vectors.h"

constexpr jlong GROUP = 16;   // queries that share a key
constexpr jlong HEAD = 256;   // values of a head
constexpr jlong BLOCK = 64;   // keys at once
constexpr jlong PARTS = HEAD / LANES;

// How many vectors of sums there are registers for, beside what they are made of, and how many queries share what is read.
#ifdef __AVX512F__
constexpr jlong ROOM = 16;
constexpr jlong QUERIES = 4;
#else
constexpr jlong ROOM = 4;
constexpr jlong QUERIES = 1;
#endif

// 16 values, or those that are left and zeros.
template <typename T>
static inline Floats part(const T *from, jlong left) {
    if (left >= LANES) {
        return lanes(from);
    }
    Floats x = {};
    for (jlong i = 0; i < left; i++) {
        x[i] = load(from + i);
    }
    return x;
}

template <typename T>
static inline void ask(const T *from, jlong values) {
    for (jlong i = 0; i < values; i += static_cast<jlong>(64 / sizeof(T))) {
        __builtin_prefetch(from + i);
    }
}

// Some queries of one key head, [COUNT, d], given n keys and values: the softmax is made a block of keys at a time
// (Milakov and Gimelshein, 2018). What is read next is asked for, at last what other queries read after these.
template <jlong COUNT, jlong D, typename T>
static void attend(
    const Floats (*__restrict q)[PARTS], const T *k, const T *v, jlong n, const T *after, T *__restrict to, jlong any) {
#pragma clang fp reassociate(off)
    constexpr jlong WIDE = D > 0 && D / LANES < ROOM / COUNT ? D / LANES : ROOM / COUNT;
    const jlong d = D > 0 ? D : any;
    const jlong parts = (d + LANES - 1) / LANES;
    Floats answers[COUNT][PARTS] = {};
    float all[COUNT] = {};
    float most[COUNT];
    for (float &each : most) {
        each = -__builtin_inff();
    }
    for (jlong start = 0; start < n; start += BLOCK) {
        const jlong count = n - start < BLOCK ? n - start : BLOCK;
        const T *keys = k + start * d;
        const T *values = v + start * d;
        const T *next = start + BLOCK < n ? keys + BLOCK * d : after;
        float scores[COUNT][BLOCK];
        for (jlong first = 0; first < count; first += LANES) {
            Floats products[COUNT][LANES] = {};
            const jlong end = count - first < LANES ? count : first + LANES;
            for (jlong p = first; p < end; p++) {
                ask(values + p * d, d);
                Floats some[COUNT] = {};
                for (jlong i = 0; i < parts; i++) {
                    const Floats its = part(keys + p * d + i * LANES, d - i * LANES);
#pragma clang loop unroll(full)
                    for (jlong g = 0; g < COUNT; g++) {
                        some[g] += q[g][i] * its;
                    }
                }
                for (jlong g = 0; g < COUNT; g++) {
                    products[g][p - first] = some[g];
                }
            }
            for (jlong g = 0; g < COUNT; g++) {
                const Floats its = sums(products[g]);
                __builtin_memcpy(scores[g] + first, &its, sizeof its);
            }
        }
        for (jlong g = 0; g < COUNT; g++) {
            float largest = most[g];
            for (jlong p = 0; p < count; p++) {
                largest = __builtin_elementwise_maximum(largest, scores[g][p]);
            }
            const float before = exponential(most[g] - largest);
            most[g] = largest;
            EACH_VALUE
            for (jlong p = 0; p < count; p++) {
                scores[g][p] = exponential(scores[g][p] - largest);
            }
            float sum = 0.0f;
            for (jlong p = 0; p < count; p++) {
                sum += scores[g][p];
            }
            all[g] = all[g] * before + sum;
            for (jlong i = 0; i < parts; i++) {
                answers[g][i] *= before;
            }
        }
        for (jlong i = 0; i < parts; i += WIDE) {
            Floats some[COUNT][WIDE] = {};
            for (jlong p = 0; p < count; p++) {
                if (i == 0) {
                    ask(next + p * d, d);
                }
#pragma clang loop unroll(full)
                for (jlong j = 0; j < WIDE; j++) {
                    if (D == 0 && i + j >= parts) {
                        break;
                    }
                    const Floats its = part(values + p * d + (i + j) * LANES, d - (i + j) * LANES);
#pragma clang loop unroll(full)
                    for (jlong g = 0; g < COUNT; g++) {
                        some[g][j] += scores[g][p] * its;
                    }
                }
            }
            for (jlong g = 0; g < COUNT; g++) {
                for (jlong j = 0; j < WIDE && i + j < parts; j++) {
                    answers[g][i + j] += some[g][j];
                }
            }
        }
    }
    for (jlong g = 0; g < COUNT; g++) {
        const float factor = 1.0f / all[g];
        for (jlong i = 0; i < d; i++) {
            store(to + g * d + i, answers[g][i / LANES][i % LANES] * factor);
        }
    }
}

// The queries of one key head, [group, d], some at once.
template <jlong D, typename T>
static void attend(
    const Floats (*q)[PARTS], const T *k, const T *v, jlong n, const T *after, T *to, jlong group, jlong d) {
    for (jlong g = 0; g < group; g += QUERIES) {
        const T *next = g + QUERIES < group ? k : after;
        T *its = to + g * d;
        switch (group - g < QUERIES ? group - g : QUERIES) {
            case 1: attend<1, D>(q + g, k, v, n, next, its, d); break;
            case 2: attend<least(2, QUERIES), D>(q + g, k, v, n, next, its, d); break;
            case 3: attend<least(3, QUERIES), D>(q + g, k, v, n, next, its, d); break;
            default: attend<QUERIES, D>(q + g, k, v, n, next, its, d);
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
    const jlong *places, T *to, jlong rows, jlong heads, jlong group, jlong d, jlong capacity, float scale,
    jint threads) {
    shared(rows * heads, threads, [&](jlong first, jlong end) {
        for (jlong each = first; each < end; each++) {
            const jlong row = each / heads;
            const jlong head = each % heads;
            T *its_keys = keys + each * capacity * d;
            T *its_values = values + each * capacity * d;
            const jlong place = places[row];
            T *its = to + each * group * d;
            if (place < 0 || place >= capacity) {  // a recording was given other places
                for (jlong i = 0; i < group * d; i++) {
                    store(its + i, __builtin_nanf(""));
                }
                continue;
            }
            Floats queries[GROUP][PARTS];
            for (jlong g = 0; g < group; g++) {
                const T *from = q + row * qs.row + (head * group + g) * qs.head;
                for (jlong i = 0; i < d; i += LANES) {
                    queries[g][i / LANES] = part(from + i, d - i) * scale;
                }
            }
            for (jlong i = 0; i < d; i++) {
                its_keys[place * d + i] = key[row * ks.row + head * ks.head + i];
                its_values[place * d + i] = value[row * vs.row + head * vs.head + i];
            }
            const T *after = each + 1 < end ? its_keys + capacity * d : its_keys;
            switch (d) {
                case 64: attend<64>(queries, its_keys, its_values, place + 1, after, its, group, d); break;
                case 128: attend<128>(queries, its_keys, its_values, place + 1, after, its, group, d); break;
                default: attend<0>(queries, its_keys, its_values, place + 1, after, its, group, d);
            }
        }
    });
}

NATIVE(void, FusedAttention, attendNext)
(JNIEnv *, jclass, jint isBf16, jlong q, jlong qRow, jlong qHead, jlong key, jlong keyRow, jlong keyHead, jlong value,
 jlong valueRow, jlong valueHead, jlong keys, jlong values, jlong places, jlong to, jlong rows, jlong heads,
 jlong group, jlong d, jlong capacity, jfloat scale, jint threads) {
    perform([=] {
        const Strides qs = {qRow, qHead}, ks = {keyRow, keyHead}, vs = {valueRow, valueHead};
        const jlong *behind = at<const jlong>(places);
        isBf16 ? attend_next(at<const bf16>(q), qs, at<const bf16>(key), ks, at<const bf16>(value), vs, at<bf16>(keys),
                             at<bf16>(values), behind, at<bf16>(to), rows, heads, group, d, capacity, scale, threads)
               : attend_next(at<const float>(q), qs, at<const float>(key), ks, at<const float>(value), vs, at<float>(keys),
                             at<float>(values), behind, at<float>(to), rows, heads, group, d, capacity, scale, threads);
    });
}
