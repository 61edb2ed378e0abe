package dev.graft.eval.metrics;

/**
 * Perplexity: exp of the mean negative log likelihood of a token. Every token has the same weight, whatever its row or batch.
 */
public final class Perplexity implements Metric<TokenScores> {

    private double negativeLogLikelihood;
    private long tokens;

    @Override
    public String name() {
        return "perplexity";
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(TokenScores row) {
        negativeLogLikelihood += row.negativeLogLikelihood();
        tokens += row.tokens();
    }

    @Override
    public double value() {
        if (tokens == 0) {
            throw new NoRowsException(name());
        }
        return Math.exp(negativeLogLikelihood / tokens);
    }
}
