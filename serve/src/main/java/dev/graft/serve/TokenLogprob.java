package dev.graft.serve;

import java.util.List;

/**
 * A token with its log-probability.
 *
 * @param logprob the natural logarithm of its probability, before temperature and filters; NaN if it wasn't requested or the token is the
 *     first of all
 * @param topLogprobs the most probable tokens at its position, best first
 */
public record TokenLogprob(int id, double logprob, List<Candidate> topLogprobs) {
    /** A candidate token with its log-probability. */
    public record Candidate(int id, double logprob) {}

    /** Creates a token without a probability. */
    public static TokenLogprob of(int id) {
        return new TokenLogprob(id, Double.NaN, List.of());
    }

    /**
     * Computes the log-probabilities of a token from logits. The array isn't kept.
     *
     * @param logits the logits of all tokens, {@code [vocabulary]}
     * @param count the number of most probable tokens to report
     */
    public static TokenLogprob of(int id, float[] logits, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp(logit - max);
        }
        double total = max + Math.log(sum);
        Candidate[] best = new Candidate[Math.min(count, logits.length)];
        int filled = 0;
        for (int i = 0; i < logits.length; i++) {
            if (filled < best.length || filled > 0 && logits[i] - total > best[filled - 1].logprob) {
                int place = filled < best.length ? filled++ : filled - 1;
                while (place > 0 && best[place - 1].logprob < logits[i] - total) {
                    best[place] = best[place - 1];
                    place--;
                }
                best[place] = new Candidate(i, logits[i] - total);
            }
        }
        return new TokenLogprob(id, logits[id] - total, List.of(best));
    }
}
