package dev.graft.models.generate;

import java.util.BitSet;

/**
 * Tokens that may not come next.
 *
 * @param ngram the length of token runs that may not occur twice; 0 for no such rule
 */
record SuppressedTokens(GenerationConfig generationConfig, int ngram) {
    /**
     * Sets the scores of suppressed tokens to minus infinity.
     *
     * @param scores {@code [vocab]}
     * @param text the tokens so far; for an encoder-decoder those of its decoder
     * @param first whether nothing has been generated yet
     */
    void apply(float[] scores, int[] text, boolean first) {
        suppress(scores, generationConfig.suppressTokens());
        if (first) {
            suppress(scores, generationConfig.beginSuppressTokens());
        }
        for (int start = 0; ngram > 0 && start + ngram <= text.length; start++) {
            int same = 0;
            while (same < ngram - 1 && text[start + same] == text[text.length - ngram + 1 + same]) {
                same++;
            }
            if (same == ngram - 1 && text[start + same] < scores.length) {
                scores[text[start + same]] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    private static void suppress(float[] scores, BitSet ids) {
        for (int id = ids.nextSetBit(0); id >= 0 && id < scores.length; id = ids.nextSetBit(id + 1)) {
            scores[id] = Float.NEGATIVE_INFINITY;
        }
    }
}
