// Attention of texts that are written, a token at a time.

#include "recording.h"
#include "values.h"

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
    const jlong *places, T *to, jlong rows, jlong heads, jlong group, jlong d, jlong capacity, float scale,
    jint threads) {
    shared(rows * heads, threads, [&](jlong first, jlong end) {
        for (jlong each = first; each < end; each++) {
            const jlong row = each / heads;
            const jlong head = each % heads;
            T *its_keys = keys + each * capacity * d;
            T *its_values = values + each * capacity * d;
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
            T *its = to + each * group * d;
            switch (d) {
                case 64: attend<T, 64>(queries, its_keys, its_values, place + 1, its, group, d); break;
                case 128: attend<T, 128>(queries, its_keys, its_values, place + 1, its, group, d); break;
                default: attend<T, 0>(queries, its_keys, its_values, place + 1, its, group, d);
            }
        }
    });
}

NATIVE(void, attendNext)
(void *, void *, jint isBf16, jlong q, jlong qRow, jlong qHead, jlong key, jlong keyRow, jlong keyHead, jlong value,
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
