package dev.graft.eval.metrics;

/**
 * The share of rows whose every labelled token was the most probable one. That is where taking the likeliest token each time, from the
 * first label on, writes exactly the answer and ends with it.
 */
public final class AnswerMatch implements Metric<TokenScores> {

    private long equal;
    private long total;

    @Override
    public String name() {
        return "exact_match";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TokenScores row) {
        total++;
        if (row.correct() == row.tokens()) {
            equal++;
        }
    }

    @Override
    public double value() {
        if (total == 0) {
            throw new NoRowsException(name());
        }
        return (double) equal / total;
    }
}
