package dev.graft.eval.metrics;

/**
 * The share of rows whose every labelled token was the most probable one. That is where taking the likeliest token each time, from the
 * first label on, writes exactly the answer and ends with it.
 */
public final class AnswerMatch extends ShareOfRows<TokenScores> {

    @Override
    public String name() {
        return "exact_match";
    }

    @Override
    boolean isRight(TokenScores row) {
        return row.correct() == row.tokens();
    }
}
