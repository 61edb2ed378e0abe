package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.FinalNumber;
import java.util.List;

/**
 * Compares the final number of an answer with that of the reference: 10 if they are equal, else 1. It says nothing of questions without a
 * reference or whose reference has no number.
 */
public record RuleJudge() implements Judge {
    private static final double RIGHT = 10;
    private static final double WRONG = 1;

    @Override
    public String name() {
        return "rule: the final number of the reference";
    }

    @Override
    public Opinion<Double> rate(MtQuestion question, int turn, List<String> answers) {
        String gold = question.references().size() > turn
                ? FinalNumber.in(question.references().get(turn))
                : null;
        return gold == null
                ? Opinion.none()
                : Opinion.of(gold.equals(FinalNumber.in(answers.get(turn))) ? RIGHT : WRONG);
    }

    @Override
    public Opinion<Winner> compare(
            MtQuestion question, int turn, List<String> first, List<String> second, boolean swapped) {
        Double one = rate(question, turn, first).value();
        Double other = rate(question, turn, second).value();
        if (one == null || other == null) {
            return Opinion.none();
        }
        return Opinion.of(one.equals(other) ? Winner.TIE : one > other ? Winner.FIRST : Winner.SECOND);
    }
}
