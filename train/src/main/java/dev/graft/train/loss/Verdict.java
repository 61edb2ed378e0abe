package dev.graft.train.loss;

import dev.graft.train.data.Goal;
import dev.graft.train.loss.AnswerTokens.Likelihood;

/**
 * The loss of a pair or of a judged answer.
 *
 * @param rewards of its rows
 * @param slopes for each row the derivatives of the loss by the log-probabilities of the answer's tokens, and by those of all tokens
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
record Verdict(double loss, double[] rewards, double[][] slopes) {

    /** @param own of the chosen and the rejected answer */
    static Verdict dpo(Goal.Dpo goal, Likelihood[] own, Likelihood[] reference) {
        boolean mean = goal.form() == Goal.Form.IPO;
        double[] ratios = new double[2];
        for (int i = 0; i < 2; i++) {
            ratios[i] = mean ? own[i].mean() - reference[i].mean() : own[i].answer() - reference[i].answer();
        }
        double margin = ratios[0] - ratios[1];
        double beta = goal.beta();
        double smoothing = goal.labelSmoothing();
        double loss = switch (goal.form()) {
            case SIGMOID -> -(1 - smoothing) * logSigmoid(beta * margin) - smoothing * logSigmoid(-beta * margin);
            case HINGE -> Math.max(0, 1 - beta * margin);
            case IPO -> Math.pow(margin - 1 / (2 * beta), 2);
        };
        double slope = switch (goal.form()) {
            case SIGMOID -> beta * (smoothing * sigmoid(beta * margin) - (1 - smoothing) * sigmoid(-beta * margin));
            case HINGE -> beta * margin < 1 ? -beta : 0;
            case IPO -> 2 * (margin - 1 / (2 * beta));
        };
        return new Verdict(loss, new double[] {beta * ratios[0], beta * ratios[1]}, new double[][] {
            {mean ? slope / own[0].tokens() : slope, 0}, {mean ? -slope / own[1].tokens() : -slope, 0}
        });
    }

    /** @param tokens of the chosen rows, averaged over the batch */
    static Verdict orpo(Goal.Orpo goal, Likelihood[] own, double tokens) {
        double chosen = own[0].mean();
        double rejected = own[1].mean();
        double odds = chosen - rejected - (logOneMinusExp(chosen) - logOneMinusExp(rejected));
        double beta = goal.beta();
        double loss = -own[0].all() / tokens - beta * logSigmoid(odds);
        double slope = -beta * sigmoid(-odds);
        return new Verdict(loss, new double[] {beta * chosen, beta * rejected}, new double[][] {
            {slope / -Math.expm1(chosen) / own[0].tokens(), -1 / tokens},
            {-slope / -Math.expm1(rejected) / own[1].tokens(), 0}
        });
    }

    /** @param mismatch the log-ratio of other answers */
    static Verdict kto(Goal.Kto goal, boolean isGood, Likelihood own, Likelihood reference, double mismatch) {
        double ratio = own.answer() - reference.answer();
        double weight = isGood ? goal.desirable() : goal.undesirable();
        double sign = isGood ? 1 : -1;
        double value = sigmoid(sign * goal.beta() * (ratio - mismatch));
        return new Verdict(weight * (1 - value), new double[] {goal.beta() * ratio}, new double[][] {
            {-weight * sign * goal.beta() * value * (1 - value), 0}
        });
    }

    static double logSigmoid(double x) {
        return x < 0 ? x - Math.log1p(Math.exp(x)) : -Math.log1p(Math.exp(-x));
    }

    static double sigmoid(double x) {
        return x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x));
    }

    /** {@code log(1 - e^x)} for x below 0. */
    private static double logOneMinusExp(double x) {
        return x > -Math.log(2) ? Math.log(-Math.expm1(x)) : Math.log1p(-Math.exp(x));
    }
}
