package dev.graft.eval.metrics;

/** The share of labelled tokens that the model finds most probable. */
public final class TokenAccuracy implements Metric<TokenScores> {

    private long correct;
    private long tokens;

    @Override
    public String name() {
        return "token_accuracy";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TokenScores row) {
        correct += row.correct();
        tokens += row.tokens();
    }

    @Override
    public double value() {
        if (tokens == 0) {
            throw new NoRowsException(name());
        }
        return (double) correct / tokens;
    }
}
