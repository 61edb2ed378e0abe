package dev.graft.models.generate;

import java.util.BitSet;

/**
 * Tokens that may not come next.
 *
 * @param ngram no run of so many tokens may come twice; 0 for no such rule
 */
record Bans(Answering rules, int ngram) {
    /**
     * Sets the scores of banned tokens to minus infinity.
     *
     * @param text what the model has read and written so far; for an encoder-decoder what its decoder has
     * @param first whether nothing has been written yet
     */
    void apply(float[] scores, int[] text, boolean first) {
        ban(scores, rules.never());
        if (first) {
            ban(scores, rules.neverFirst());
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

    private static void ban(float[] scores, BitSet ids) {
        for (int id = ids.nextSetBit(0); id >= 0 && id < scores.length; id = ids.nextSetBit(id + 1)) {
            scores[id] = Float.NEGATIVE_INFINITY;
        }
    }
}
