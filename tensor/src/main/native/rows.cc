// Low-rank updates of texts of one token, each with matrices of its own.

#include "threads.h"
#include "values.h"

namespace {

constexpr jlong LANES = 16;
constexpr jlong LINE = 64;          // bytes
constexpr jlong AHEAD = 32 * LINE;  // of what is read, asked for

typedef float Floats __attribute__((vector_size(64)));
typedef uint32 Words __attribute__((vector_size(64)));
typedef unsigned short Halves __attribute__((vector_size(32)));

inline void add(Floats &sum, float factor, const float *from) {
    Floats x;
    __builtin_memcpy(&x, from, sizeof x);
    sum += factor * x;
}

inline void add(Floats &sum, float factor, const bf16 *from) {
    Halves x;
    __builtin_memcpy(&x, from, sizeof x);
    sum += factor * __builtin_bit_cast(Floats, __builtin_convertvector(x, Words) << 16);
}

// Some columns of y = x M, 16 PARTS of them; M [in, ..], whose rows are so many values from one another. How many are made at once depends on
// other texts, and their sums don't.
template <int PARTS, typename T>
inline void columns(const T *x, const T *m, jlong row, jlong in, T *y) {
#pragma clang fp reassociate(off)
    Floats sums[PARTS] = {};
    for (jlong i = 0; i < in; i++, m += row) {
        const float factor = load(x + i);
#pragma clang loop unroll(full)
        for (int part = 0; part < PARTS; part++) {
            add(sums[part], factor, m + part * LANES);
        }
        for (jlong byte = 0; byte < PARTS * LANES * static_cast<jlong>(sizeof(T)); byte += LINE) {
            __builtin_prefetch(reinterpret_cast<const char *>(m) + byte + AHEAD);
        }
    }
    float all[PARTS * LANES];
    __builtin_memcpy(all, sums, sizeof all);
    EACH_VALUE
    for (jlong i = 0; i < PARTS * LANES; i++) {
        store(y + i, all[i]);
    }
}

template <typename T>
void product(const T *x, const T *m, jlong row, jlong in, jlong out, T *y) {
    jlong j = 0;
    for (; j + 8 * LANES <= out; j += 8 * LANES) {
        columns<8>(x, m + j, row, in, y + j);
    }
    for (; j + 3 * LANES <= out; j += 3 * LANES) {
        columns<3>(x, m + j, row, in, y + j);
    }
    for (; j + 2 * LANES <= out; j += 2 * LANES) {
        columns<2>(x, m + j, row, in, y + j);
    }
    for (; j + LANES <= out; j += LANES) {
        columns<1>(x, m + j, row, in, y + j);
    }
    for (; j < out; j++) {
#pragma clang fp reassociate(off)
        float sum = 0.0f;
        for (jlong i = 0; i < in; i++) {
            sum += load(x + i) * load(m + i * row + j);
        }
        store(y + j, sum);
    }
}

template <typename T>
void zeros(jlong n, T *y) {
    for (jlong i = 0; i < n; i++) {
        store(y + i, 0.0f);
    }
}

// z = x A, and each block of y = its part of z times its B: A [rows, in, narrow], B [rows, blocks, rank, width], of the row of each text, or 0
// where that is below 0.
template <typename T>
struct Updates {
    const T *x;
    jlong next;
    const T *a;
    const T *b;
    const jlong *rows;
    const jlong *places;
    T *z;
    T *y;
    jlong texts, in, narrow, blocks, rank, width;

    template <typename Barrier>
    void part(jlong member, jlong size, Barrier barrier) const {
        // Columns are parted where whole texts can't be.
        const jlong strip = texts % size == 0 ? narrow : 2 * LANES;
        const jlong strips = (narrow + strip - 1) / strip;
        for (jlong i = texts * strips * member / size; i < texts * strips * (member + 1) / size; i++) {
            const jlong text = i / strips;
            const jlong column = i % strips * strip;
            const jlong count = narrow - column < strip ? narrow - column : strip;
            if (rows[text] >= 0) {
                const T *its = a + rows[text] * in * narrow + column;
                product(x + text * next, its, narrow, in, count, z + text * narrow + column);
            }
        }
        barrier();
        for (jlong i = texts * blocks * member / size; i < texts * blocks * (member + 1) / size; i++) {
            const jlong row = rows[i / blocks];
            const jlong block = i % blocks;
            if (row >= 0) {
                const T *its = z + i / blocks * narrow + places[block];
                product(its, b + (row * blocks + block) * rank * width, width, rank, width, y + i * width);
            } else {
                zeros(width, y + i * width);
            }
        }
    }
};

}  // namespace

NATIVE(updates)
(void *, void *, jint isBf16, jlong x, jlong next, jlong a, jlong b, jlong rows, jlong places, jlong z, jlong y,
 jlong texts, jlong in, jlong narrow, jlong blocks, jlong rank, jlong width, jint threads) {
    const auto run = [&](auto *ys) {
        using T = __remove_pointer(decltype(ys));
        const Updates<T> job = {at<T>(x),           next,     at<T>(a), at<T>(b), at<jlong>(rows), at<jlong>(places),
                                at<T>(z),           ys,       texts,    in,       narrow,          blocks,
                                rank,               width};
        together(job, threads);
    };
    isBf16 ? run(at<bf16>(y)) : run(at<float>(y));
}
