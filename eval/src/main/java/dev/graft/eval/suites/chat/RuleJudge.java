package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.FinalNumber;
import java.util.List;

/**
 * Compares the final number of an answer with that of the reference: 10 if they are equal, else 1. Questions whose reference is missing or
 * has no number aren't rated.
 */
public record RuleJudge() implements Judge {
    private static final double RIGHT = 10;
    private static final double WRONG = 1;

    @Override
    public String name() {
        return "rule: the final number of the reference";
    }

    @Override
    public Judgement<Double> rate(MtQuestion question, int turn, List<String> answers) {
        String gold = question.references().size() > turn
                ? FinalNumber.in(question.references().get(turn))
                : null;
        return gold == null
                ? Judgement.none()
                : Judgement.of(gold.equals(FinalNumber.in(answers.get(turn))) ? RIGHT : WRONG);
    }

    @Override
    public Judgement<Winner> compare(
            MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped) {
        Double one = rate(question, turn, first).value();
        Double other = rate(question, turn, second).value();
        if (one == null || other == null) {
            return Judgement.none();
        }
        return Judgement.of(one.equals(other) ? Winner.TIE : one > other ? Winner.FIRST : Winner.SECOND);
    }
}
