// Low-rank updates of texts of several tokens, each with matrices of its own.

#include "factors.h"
#include "product.h"
#include "threads.h"

namespace {

// z = scale A x and y = B z of each text and each layer.
struct Updates {
    const uint16 *x;        // [texts, tokens, in]
    const Factors<uint16> *factors;  // [texts, layers]
    const jlong *outs;       // [layers]
    float *sums;             // [texts, tokens, most]
    uint16 *z;               // likewise
    uint16 *y;               // [texts, tokens, width]
    jlong texts, tokens, layers, in, most, width;

    void update(const Factors<uint16> &its, jlong row, jlong count, jlong left, jlong out) const {
        uint16 *to = y + row * width + left;
        if (!its.a) {
            for (jlong i = 0; i < count; i++) {
                for (jlong j = 0; j < out; j += PAIR) {
                    _mm512_mask_storeu_epi16(to + i * width + j, first(out - j), _mm512_setzero_si512());
                }
            }
            return;
        }
        float *all = sums + row * most;
        uint16 *narrow = z + row * most;
        products({x + row * in, in, 1}, {its.a, 1, in}, nullptr, all, its.rank, 1, count, its.rank, in, false);
        const __m512 scale = _mm512_set1_ps(static_cast<float>(its.scale));
        for (jlong i = 0; i < count * its.rank; i += PAIR) {
            const __mmask32 some = first(count * its.rank - i);
            const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(some), all + i);
            const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(some >> 16), all + i + TILE);
            store(_mm512_mul_ps(low, scale), _mm512_mul_ps(high, scale), nullptr, narrow + i, some);
        }
        products({narrow, its.rank, 1}, {its.b, 1, its.rank}, nullptr, to, width, 1, count, out, its.rank, false);
    }

    template <typename Barrier>
    void part(jlong member, jlong size, Barrier) const {
        Configured squares;
        // Whole texts where they can be shared among threads, else as many rows of each.
        const bool whole = texts % size == 0;
        const jlong from = whole ? texts * member / size : 0;
        const jlong to = whole ? texts * (member + 1) / size : texts;
        const jlong blocks = (tokens + PAIR - 1) / PAIR;
        const jlong row = whole ? 0 : blocks * member / size * PAIR;
        const jlong end = whole ? tokens : least(tokens, blocks * (member + 1) / size * PAIR);
        for (jlong text = from; text < to && row < end; text++) {
            jlong left = 0;
            for (jlong layer = 0; layer < layers; left += outs[layer++]) {
                update(factors[text * layers + layer], text * tokens + row, end - row, left, outs[layer]);
            }
        }
    }
};

}  // namespace

NATIVE(void, BatchedLowRankProduct, updatesOfTexts)
(JNIEnv *, jclass, jlong x, jlong factors, jlong outs, jlong sums, jlong z, jlong y, jlong texts, jlong tokens, jlong layers,
 jlong in, jlong most, jlong width, jint threads) {
    const Updates job = {reinterpret_cast<const uint16 *>(x), reinterpret_cast<const Factors<uint16> *>(factors),
                         reinterpret_cast<const jlong *>(outs), reinterpret_cast<float *>(sums), reinterpret_cast<uint16 *>(z),
                         reinterpret_cast<uint16 *>(y), texts, tokens, layers, in, most, width};
    together(job, threads);
}
