// Low-rank updates of rows, those of each text with matrices of its own.

#include "factors.h"
#include "recording.h"
#include "vectors.h"

namespace {

constexpr jlong ROWS = 8;     // of A that are multiplied at once
constexpr jlong STRIP = 128;  // outputs that are made at once
constexpr jlong LINE = 64;    // bytes
constexpr jlong AHEAD = 4096;  // values that are asked for before they are read
constexpr jlong DEEPEST = 64;  // rank of what is transposed

// Sums of products of 32 values each, of which every lane adds up two.
#ifdef __AVX512BF16__
#define PAIRS 1
typedef __bf16 Pairs __attribute__((vector_size(64)));

inline Pairs pairs(const bf16 *from) {
    Pairs x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

inline Floats add(Floats sums, Pairs x, Pairs y) { return __builtin_ia32_dpbf16ps_512(sums, x, y); }
#endif

// The first values of rows times those of x, as many as vectors have: how many, and sums of their products.
template <int COUNT, typename T, typename Step>
inline jlong start(const T *x, const T *a, jlong in, Floats *all, Step step) {
#pragma clang fp reassociate(off)
    jlong i = 0;
    for (; i + LANES <= in; i += LANES) {
        const Floats some = lanes(x + i);
#pragma clang loop unroll(full)
        for (int row = 0; row < COUNT; row++) {
            all[row] += some * lanes(a + row * in + i);
        }
        step(COUNT * LANES);
    }
    return i;
}

#ifdef PAIRS
template <int COUNT, typename Step>
inline jlong start(const bf16 *x, const bf16 *a, jlong in, Floats *all, Step step) {
    jlong i = 0;
    for (; i + 2 * LANES <= in; i += 2 * LANES) {
        const Pairs some = pairs(x + i);
#pragma clang loop unroll(full)
        for (int row = 0; row < COUNT; row++) {
            all[row] = add(all[row], some, pairs(a + row * in + i));
        }
        step(2 * COUNT * LANES);
    }
    return i;
}
#endif

// Some values of z = scale A x, for rows of A one after another; step is told how many values were read.
template <int COUNT, typename T, typename Step>
inline void narrow(const T *x, const T *a, jlong in, float scale, T *z, Step step) {
#pragma clang fp reassociate(off)
    Floats all[LANES] = {};
    for (jlong i = start<COUNT>(x, a, in, all, step); i < in; i++) {
        for (int row = 0; row < COUNT; row++) {
            all[row][0] += load(x + i) * load(a + row * in + i);
        }
    }
    const Floats each = sums(all) * scale;
    for (int row = 0; row < COUNT; row++) {
        store(z + row, each[row]);
    }
}

// 16 values of y = B z; of z as many values are there as whole vectors have. Behind the end nothing is read.
template <typename T>
inline Floats any(const T *z, const T *b, jlong rank, const T *end) {
#pragma clang fp reassociate(off)
    Floats all[LANES] = {};
    for (jlong j = 0; j < rank; j += LANES) {
        const Floats some = lanes(z + j);
        if (b + (LANES - 1) * rank + j + LANES <= end) {
#pragma clang loop unroll(full)
            for (int row = 0; row < LANES; row++) {
                all[row] += some * lanes(b + row * rank + j);
            }
            continue;
        }
        for (jlong row = 0; row < LANES; row++) {
            T last[LANES] = {};
            const T *its = b + row * rank + j;
            for (jlong k = 0; k < LANES && k < rank - j && its + k < end; k++) {
                last[k] = its[k];
            }
            all[row] += some * lanes(last);
        }
    }
    return sums(all);
}

template <typename T>
inline void sixteen(Floats from, jlong count, T *y) {
    float each[LANES];
    __builtin_memcpy(each, &from, sizeof each);
    if (count >= LANES) {
#pragma clang loop vectorize(assume_safety) vectorize_width(16)
        for (jlong i = 0; i < LANES; i++) {
            store(y + i, each[i]);
        }
        return;
    }
    for (jlong i = 0; i < count; i++) {
        store(y + i, each[i]);
    }
}

template <typename T, typename Step>
void wide(const T *z, const T *b, jlong rank, jlong count, const T *end, T *y, Step step) {
    jlong i = 0;
#ifdef PAIRS
    if constexpr (sizeof(T) == sizeof(bf16)) {
        if (rank == LANES) {
            const Halves once = halves(z);
            const Pairs some = __builtin_bit_cast(
                Pairs, __builtin_shufflevector(
                           once, once, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                           11, 12, 13, 14, 15));
            for (; i + LANES <= count; i += LANES, b += LANES * LANES) {
                step(LANES * LANES);
                Floats all[8];
#pragma clang loop unroll(full)
                for (int row = 0; row < 8; row++) {
                    all[row] = add(Floats{}, some, pairs(b + row * 2 * LANES));
                }
                sixteen(sums_of_halves(all), LANES, y + i);
            }
        }
    }
#endif
    for (; i < count; i += LANES, b += LANES * rank) {
        step(LANES * rank);
        sixteen(any(z, b, rank, end), count - i, y + i);
    }
}

// z = scale A x and y = B z of each row of x and each layer, for so many rows of each text.
template <typename T>
struct Updates {
    const T *x;
    jlong next;
    const Factors<T> *all;  // [texts, layers]
    const jlong *outs;      // [layers]
    T *z;                   // [rows, layers, most]
    T *y;                   // [rows, sum of outs]
    jlong rows, tokens, layers, in, most, width;

    const Factors<T> &factors(jlong pair) const { return all[pair / layers / tokens * layers + pair % layers]; }

    // Parts of a product that one thread makes.
    jlong parts(bool isWide, jlong pair) const {
        const Factors<T> &its = factors(pair);
        return !its.a ? 0 : isWide ? (outs[pair % layers] + STRIP - 1) / STRIP : (its.rank + ROWS - 1) / ROWS;
    }

    // What a thread does of one of the two products: so many parts, from one of a pair of row and layer on.
    struct Span {
        bool isWide;
        jlong pair;
        jlong part;
        jlong left;

        bool take(const Updates &all) {
            while (left > 0 && part >= all.parts(isWide, pair)) {
                part = 0;
                pair++;
            }
            return left-- > 0;
        }
    };

    jlong parts(bool isWide, jlong from, jlong to) const {
        jlong sum = 0;
        for (jlong pair = from; pair < to; pair++) {
            sum += parts(isWide, pair);
        }
        return sum;
    }

    // Whether threads may have rows of their own, as many parts for each.
    bool are_even(jlong size) const {
        const jlong each = rows / size * layers;
        for (jlong member = 1; member < size; member++) {
            if (parts(false, member * each, (member + 1) * each) != parts(false, 0, each)) {
                return false;
            }
        }
        return rows % size == 0;
    }

    Span span(bool isWide, jlong from, jlong to, jlong member, jlong size) const {
        const jlong sum = parts(isWide, from, to);
        Span span = {isWide, from, sum * member / size, sum * (member + 1) / size - sum * member / size};
        while (span.left > 0 && span.part >= parts(isWide, span.pair)) {
            span.part -= parts(isWide, span.pair++);
        }
        return span;
    }

    // Asks for what a thread reads some time later.
    struct Ahead {
        const Updates &all;
        Span now;
        Span then;
        const T *at = nullptr;
        const T *end = nullptr;

        void step(jlong values) {
            for (; values > 0; values -= LINE / static_cast<jlong>(sizeof(T))) {
                if (at >= end && !turn()) {
                    return;
                }
                __builtin_prefetch(at, 0, 2);
                at += LINE / static_cast<jlong>(sizeof(T));
            }
        }

        bool turn() {
            if (!now.take(all)) {
                now = then;
                then.left = 0;
                if (!now.take(all)) {
                    return false;
                }
            }
            const Factors<T> &its = all.factors(now.pair);
            const jlong each = now.isWide ? STRIP * its.rank : ROWS * all.in;
            const jlong count = now.isWide ? all.outs[now.pair % all.layers] * its.rank : its.rank * all.in;
            at = (now.isWide ? its.b : its.a) + now.part * each;
            end = at + (count - now.part * each < each ? count - now.part * each : each);
            now.part++;
            return true;
        }
    };

    void run(Span span, Ahead &ahead) const {
        const auto step = [&](jlong values) { ahead.step(values); };
        for (; span.take(*this); span.part++) {
            span.isWide ? widened(span.pair, span.part, step) : narrowed(span.pair, span.part, step);
        }
    }

    template <int COUNT, typename Step>
    void narrowed(jlong pair, jlong row, Step step) const {
        const Factors<T> &its = factors(pair);
        narrow<COUNT>(
            x + pair / layers * next, its.a + row * in, in, static_cast<float>(its.scale), z + pair * most + row, step);
    }

    template <typename Step>
    void narrowed(jlong pair, jlong part, Step step) const {
        const jlong rank = factors(pair).rank;
        const jlong last = part * ROWS + ROWS < rank ? part * ROWS + ROWS : rank;
        jlong row = part * ROWS;
        for (; row + ROWS <= last; row += ROWS) {
            narrowed<ROWS>(pair, row, step);
        }
        for (; row < last; row++) {
            narrowed<1>(pair, row, step);
        }
        for (; last == rank && row % LANES != 0; row++) {
            store(z + pair * most + row, 0.0f);
        }
    }

    template <typename Step>
    void widened(jlong pair, jlong part, Step step) const {
        const Factors<T> &its = factors(pair);
        const jlong out = outs[pair % layers];
        const jlong first = part * STRIP;
        wide(
            z + pair * most, its.b + first * its.rank, its.rank, out - first < STRIP ? out - first : STRIP,
            its.b + out * its.rank, place(pair) + first, step);
    }

    T *place(jlong pair) const {
        T *to = y + pair / layers * width;
        for (jlong layer = 0; layer < pair % layers; layer++) {
            to += outs[layer];
        }
        return to;
    }

    // Of layers without an update.
    void zeros(jlong pair) const {
        T *to = place(pair);
        for (jlong i = 0; i < outs[pair % layers]; i++) {
            store(to + i, 0.0f);
        }
    }

    // What one thread makes of some rows of a text: 16 columns of all rows at once, by a transpose of 16 rows of B.
    void some(jlong text, jlong layer, jlong from, jlong to) const {
        const auto nothing = [](jlong) {};
        const auto pair = [&](jlong row) { return (text * tokens + row) * layers + layer; };
        const Factors<T> &its = factors(pair(0));
        for (jlong row = from; row < to; row++) {
            if (!its.a) {
                zeros(pair(row));
            }
            for (jlong part = 0; part < parts(false, pair(row)); part++) {
                narrowed(pair(row), part, nothing);
            }
            for (jlong part = 0; part < parts(true, pair(row)) && its.rank > DEEPEST; part++) {
                widened(pair(row), part, nothing);
            }
        }
        for (jlong i = 0; its.a && its.rank <= DEEPEST && i < outs[layer]; i += LANES) {
            const jlong count = outs[layer] - i < LANES ? outs[layer] - i : LANES;
            float turned[DEEPEST][LANES];
            for (jlong column = 0; column < LANES; column++) {
                for (jlong j = 0; j < its.rank; j++) {
                    turned[j][column] = column < count ? load(its.b + (i + column) * its.rank + j) : 0.0f;
                }
            }
            for (jlong row = from; row < to; row++) {
                const T *narrow = z + pair(row) * most;
                Floats sums = {};
                for (jlong j = 0; j < its.rank; j++) {
                    sums += load(narrow + j) * lanes(turned[j]);
                }
                sixteen(sums, count, place(pair(row)) + i);
            }
        }
    }

    template <typename Barrier>
    void part(jlong member, jlong size, Barrier barrier) const {
        if (tokens > 1) {
            for (jlong pair = 0; pair < rows / tokens * layers; pair++) {
                some(pair / layers, pair % layers, tokens * member / size, tokens * (member + 1) / size);
            }
            return;
        }
        for (jlong pair = member; pair < rows * layers; pair += size) {
            if (!factors(pair).a) {
                zeros(pair);
            }
        }
        const bool whole = are_even(size);
        const jlong from = whole ? rows * member / size * layers : 0;
        const jlong to = whole ? rows * (member + 1) / size * layers : rows * layers;
        const Span narrow = span(false, from, to, whole ? 0 : member, whole ? 1 : size);
        const Span wide = span(true, from, to, whole ? 0 : member, whole ? 1 : size);
        Ahead ahead = {*this, narrow, wide};
        ahead.step(AHEAD);
        run(narrow, ahead);
        if (!whole) {
            barrier();
        }
        run(wide, ahead);
    }
};

}  // namespace

NATIVE(void, BatchedLowRankProduct, updates)
(JNIEnv *, jclass, jint isBf16, jlong x, jlong next, jlong factors, jlong outs, jlong z, jlong y, jlong rows, jlong tokens,
 jlong layers, jlong in, jlong most, jlong width, jint threads) {
    perform([=] {
        const auto run = [&](auto *ys) {
            using T = __remove_pointer(decltype(ys));
            const Updates<T> job = {at<T>(x), next,   at<Factors<T>>(factors), at<jlong>(outs), at<T>(z), ys, rows,
                                    tokens,   layers, in,                      most,            width};
            together(job, threads);
        };
        isBf16 ? run(at<bf16>(y)) : run(at<float>(y));
    });
}
