package dev.graft.eval.metrics;

/** exp of the mean negative log likelihood of a token; every token weighs the same, whatever row or batch it was in. */
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
