package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.Task;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/** What is learnt from examples: their targets, those and what a teacher says, or which of two answers is the better one. */
public sealed interface Goal {
    /** The targets of the examples. */
    Goal TARGETS = new OfTargets();

    record OfTargets() implements Goal {}

    /**
     * Knowledge distillation (Hinton et al. 2015): {@code (1 - λ) CE + λ T² KL(softmax(t / T) ‖ softmax(s / T))} for each labelled token
     * or row, with its logits s and the teacher's t. T² keeps the gradient's size whatever the temperature.
     *
     * @param temperature T, which softens both distributions
     * @param weight λ, the share of what the teacher says; 1 learns from it alone
     */
    record Distill(Teacher teacher, double temperature, double weight) implements Goal {
        /** The tasks whose answers are tokens or one class. */
        public static final Set<Task> TASKS = Collections.unmodifiableSet(EnumSet.of(
                Task.CAUSAL_LM,
                Task.SEQ_2_SEQ_LM,
                Task.MASKED_LM,
                Task.TOKEN_CLS,
                Task.SEQ_CLS,
                Task.IMAGE_CLS,
                Task.MULTIPLE_CHOICE));

        public Distill {
            if (!(temperature > 0)) {
                throw new InputException("distillation.temperature is " + temperature + ", expected above 0");
            }
            if (!(weight > 0 && weight <= 1)) {
                throw new InputException("distillation.weight is " + weight + ", expected above 0 and at most 1");
            }
        }
    }

    /** What direct preference optimisation does with the margin {@code δ} between the log-ratios of two answers. */
    enum Form {
        /** {@code -(1 - ε) log σ(β δ) - ε log σ(-β δ)}: DPO (Rafailov et al. 2023, equation 7), with ε conservative DPO. */
        SIGMOID,
        /** {@code max(0, 1 - β δ)}: SLiC (Zhao et al. 2023) with a reference. */
        HINGE,
        /** {@code (δ - 1 / 2β)²} with log-ratios averaged over the tokens of an answer: IPO (Azar et al. 2023, equation 17). */
        IPO
    }

    /**
     * Direct preference optimisation: the log-ratio is that of the model with its adapter to the base without.
     *
     * @param beta how much is kept of the base
     * @param labelSmoothing the share ε of pairs that are taken to be the wrong way round
     */
    record Dpo(Form form, double beta, double labelSmoothing) implements Goal {
        public Dpo {
            requireBeta(beta);
            if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) {
                throw new InputException("label_smoothing is " + labelSmoothing + ", expected 0 to 0.5 for DPO, where"
                        + " it is the share of pairs that are the wrong way round");
            }
            if (labelSmoothing > 0 && form != Form.SIGMOID) {
                throw new InputException("label_smoothing is " + labelSmoothing + ", but only the sigmoid loss has it");
            }
        }
    }

    /**
     * Odds-ratio preference optimisation (Hong et al. 2024, equation 6), which needs no reference:
     * {@code -log p(chosen) - β log σ(log odds(chosen) - log odds(rejected))}, likelihoods averaged over tokens, the first one over those of
     * the prompt too and over the whole batch.
     */
    record Orpo(double beta) implements Goal {
        public Orpo {
            requireBeta(beta);
        }
    }

    /**
     * Kahneman-Tversky optimisation (Ethayarajh et al. 2024, equation 7): {@code λ (1 - σ(±β (r - z)))} with the log-ratio r of an answer
     * and z that of other answers to the same prompts, averaged over the batch and at least 0.
     *
     * @param desirable λ of good answers
     * @param undesirable λ of bad answers
     */
    record Kto(double beta, double desirable, double undesirable) implements Goal {
        public Kto {
            requireBeta(beta);
        }
    }

    /**
     * A reward that says which answer is better (Bradley and Terry 1952): {@code -log σ(r(chosen) - r(rejected)) + c (r(chosen) +
     * r(rejected))²}.
     *
     * @param centering c, which draws rewards towards 0
     */
    record Reward(double centering) implements Goal {}

    private static void requireBeta(double beta) {
        if (!(beta > 0 && beta < Double.POSITIVE_INFINITY)) {
            throw new InputException("preference.beta is " + beta + ", expected above 0");
        }
    }
}
