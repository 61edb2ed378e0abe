package dev.graft.serve;

import java.util.List;

/**
 * A token that was written.
 *
 * @param logprob the logarithm of its probability by the model, before temperature and filters; NaN where it wasn't asked for or is the first of all
 * @param likeliest the tokens that were likeliest at its place, the likeliest first
 */
public record Token(int id, double logprob, List<Likely> likeliest) {
    /** A token with the logarithm of its probability. */
    public record Likely(int id, double logprob) {}

    /** The token without a probability. */
    static Token of(int id) {
        return new Token(id, Double.NaN, List.of());
    }

    /** The token with its probabilities among logits, which may be changed afterwards. */
    static Token of(int id, float[] logits, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        double total = max + Math.log(sum);
        Likely[] best = new Likely[Math.min(count, logits.length)];
        int filled = 0;
        for (int i = 0; i < logits.length; i++) {
            if (filled < best.length || filled > 0 && logits[i] - total > best[filled - 1].logprob) {
                int place = filled < best.length ? filled++ : filled - 1;
                while (place > 0 && best[place - 1].logprob < logits[i] - total) {
                    best[place] = best[place - 1];
                    place--;
                }
                best[place] = new Likely(i, logits[i] - total);
            }
        }
        return new Token(id, logits[id] - total, List.of(best));
    }
}
