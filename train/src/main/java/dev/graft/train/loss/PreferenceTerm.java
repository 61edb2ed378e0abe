package dev.graft.train.loss;

import dev.graft.train.data.TrainingObjective.Cpo;
import dev.graft.train.data.TrainingObjective.Dpo;
import dev.graft.train.data.TrainingObjective.DpoLossType;
import dev.graft.train.data.TrainingObjective.Kto;
import dev.graft.train.data.TrainingObjective.Orpo;
import dev.graft.train.data.TrainingObjective.PreferenceObjective;
import dev.graft.train.data.TrainingObjective.Simpo;
import dev.graft.train.loss.AnswerTokens.Likelihood;

/**
 * The loss of a pair or of a judged answer.
 *
 * @param rewards of its rows
 * @param gradients for each row the derivatives of the loss by the log-probabilities of the answer's tokens, and by those of all tokens
 */
@SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
record PreferenceTerm(double loss, double[] rewards, double[][] gradients) {

    /**
     * The loss of a unit of a batch.
     *
     * @param isGood the judgement of a judged answer
     * @param own the likelihoods of its rows: of the chosen and the rejected answer, or of the judged one
     * @param reference those of the base alone; empty where the objective has no reference
     * @param statistic the figure of the whole batch that the objective needs
     */
    static PreferenceTerm of(
            PreferenceObjective objective, boolean isGood, Likelihood[] own, Likelihood[] reference, double statistic) {
        if (objective instanceof Dpo dpo) {
            return dpo(dpo, own, reference);
        } else if (objective instanceof Orpo orpo) {
            return orpo(orpo, own, statistic);
        } else if (objective instanceof Simpo simpo) {
            return simpo(simpo, own[0], own[1]);
        } else if (objective instanceof Cpo cpo) {
            return cpo(cpo, own[0], own[1], statistic);
        }
        return kto((Kto) objective, isGood, own[0], reference[0], statistic);
    }

    private static PreferenceTerm dpo(Dpo objective, Likelihood[] own, Likelihood[] reference) {
        boolean mean = objective.form() == DpoLossType.IPO;
        double[] ratios = new double[2];
        for (int i = 0; i < 2; i++) {
            ratios[i] = mean ? own[i].mean() - reference[i].mean() : own[i].answer() - reference[i].answer();
        }
        double margin = ratios[0] - ratios[1];
        double beta = objective.beta();
        double smoothing = objective.labelSmoothing();
        double loss = switch (objective.form()) {
            case SIGMOID -> smoothedLoss(beta * margin, smoothing);
            case HINGE -> Math.max(0, 1 - beta * margin);
            case IPO -> Math.pow(margin - 1 / (2 * beta), 2);
        };
        double slope = switch (objective.form()) {
            case SIGMOID -> beta * smoothedSlope(beta * margin, smoothing);
            case HINGE -> beta * margin < 1 ? -beta : 0;
            case IPO -> 2 * (margin - 1 / (2 * beta));
        };
        return new PreferenceTerm(loss, new double[] {beta * ratios[0], beta * ratios[1]}, new double[][] {
            {mean ? slope / own[0].tokens() : slope, 0}, {mean ? -slope / own[1].tokens() : -slope, 0}
        });
    }

    /** @param tokens of the chosen rows, averaged over the batch */
    private static PreferenceTerm orpo(Orpo objective, Likelihood[] own, double tokens) {
        double chosen = own[0].mean();
        double rejected = own[1].mean();
        double odds = chosen - rejected - (logOneMinusExp(chosen) - logOneMinusExp(rejected));
        double beta = objective.beta();
        double loss = -own[0].all() / tokens - beta * logSigmoid(odds);
        double slope = -beta * sigmoid(-odds);
        return new PreferenceTerm(loss, new double[] {beta * chosen, beta * rejected}, new double[][] {
            {slope / -Math.expm1(chosen) / own[0].tokens(), -1 / tokens},
            {-slope / -Math.expm1(rejected) / own[1].tokens(), 0}
        });
    }

    private static PreferenceTerm simpo(Simpo objective, Likelihood chosen, Likelihood rejected) {
        double beta = objective.beta();
        double margin = beta * (chosen.mean() - rejected.mean()) - objective.gamma();
        double slope = -beta * sigmoid(-margin);
        return new PreferenceTerm(
                -logSigmoid(margin), new double[] {beta * chosen.mean(), beta * rejected.mean()}, new double[][] {
                    {slope / chosen.tokens(), 0}, {-slope / rejected.tokens(), 0}
                });
    }

    /** @param tokens of the chosen answers, averaged over the batch */
    private static PreferenceTerm cpo(Cpo objective, Likelihood chosen, Likelihood rejected, double tokens) {
        double beta = objective.beta();
        double margin = beta * (chosen.answer() - rejected.answer());
        double slope = beta * smoothedSlope(margin, objective.labelSmoothing());
        double own = -objective.alpha() / tokens;
        return new PreferenceTerm(
                smoothedLoss(margin, objective.labelSmoothing()) + own * chosen.answer(),
                new double[] {beta * chosen.answer(), beta * rejected.answer()},
                new double[][] {{slope + own, 0}, {-slope, 0}});
    }

    /** @param mismatch the log-ratio of other answers */
    private static PreferenceTerm kto(
            Kto objective, boolean isGood, Likelihood own, Likelihood reference, double mismatch) {
        double ratio = own.answer() - reference.answer();
        double weight = isGood ? objective.desirable() : objective.undesirable();
        double sign = isGood ? 1 : -1;
        double value = sigmoid(sign * objective.beta() * (ratio - mismatch));
        return new PreferenceTerm(weight * (1 - value), new double[] {objective.beta() * ratio}, new double[][] {
            {-weight * sign * objective.beta() * value * (1 - value), 0}
        });
    }

    /** {@code -(1 - ε) log σ(x) - ε log σ(-x)}. */
    private static double smoothedLoss(double x, double smoothing) {
        return -(1 - smoothing) * logSigmoid(x) - smoothing * logSigmoid(-x);
    }

    /** The derivative of {@link #smoothedLoss}. */
    private static double smoothedSlope(double x, double smoothing) {
        return smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x);
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
