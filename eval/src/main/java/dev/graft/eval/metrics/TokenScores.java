package dev.graft.eval.metrics;

/**
 * The scores of a language model on the labelled tokens of a row or a batch.
 *
 * @param negativeLogLikelihood summed over the tokens, in nats
 * @param tokens how many tokens had a label
 * @param correct on how many of them the most probable token was the label
 * @throws IllegalArgumentException if the sum is not finite or the counts contradict each other
 */
public record TokenScores(double negativeLogLikelihood, long tokens, long correct) {

    public TokenScores {
        if (!Double.isFinite(negativeLogLikelihood)) {
            throw new IllegalArgumentException(
                    "negative log likelihood is " + negativeLogLikelihood + ", expected a finite number of nats");
        }
        if (tokens < 0 || correct < 0 || correct > tokens) {
            throw new IllegalArgumentException(
                    correct + " correct of " + tokens + " tokens, expected 0 <= correct <= tokens");
        }
    }
}
