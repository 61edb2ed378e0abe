package dev.graft.train.data;

import dev.graft.formats.InputException;
import dev.graft.models.Task;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A training objective: supervised targets, distillation from a teacher, preferences between answers, rewards, or embeddings.
 */
public sealed interface TrainingObjective {
    /** The targets of the examples. */
    TrainingObjective SUPERVISED = new Supervised();

    record Supervised() implements TrainingObjective {}

    /**
     * Knowledge distillation (Hinton et al. 2015): {@code (1 - λ) CE + λ T² KL(softmax(t / T) ‖ softmax(s / T))} for each labelled token or
     * row, with its logits s and the teacher's t. T² keeps the gradient's size whatever the temperature.
     *
     * @param temperature T, which softens both distributions
     * @param weight λ, the share of the teacher's term; 1 learns from the teacher alone
     */
    record Distill(Teacher teacher, double temperature, double weight) implements TrainingObjective {
        /** The tasks that can be distilled: those with token or single-class outputs. */
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

    /** A preference between answers of a causal model. */
    sealed interface PreferenceObjective extends TrainingObjective {
        /** Returns whether likelihoods are compared with those of the base without its adapter. */
        boolean needsReference();
    }

    /**
     * Losses of direct preference optimisation; {@code δ} is the difference between the log-ratios of the chosen and the rejected answer.
     */
    enum DpoLossType {
        /** {@code -(1 - ε) log σ(β δ) - ε log σ(-β δ)}: DPO (Rafailov et al. 2023, equation 7), with ε conservative DPO. */
        SIGMOID,
        /** {@code max(0, 1 - β δ)}: SLiC (Zhao et al. 2023) with a reference. */
        HINGE,
        /** {@code (δ - 1 / 2β)²} with log-ratios averaged over the tokens of an answer: IPO (Azar et al. 2023, equation 17). */
        IPO
    }

    /**
     * Direct preference optimisation. The reference model is the base without its adapter.
     *
     * @param beta β, the strength of the pull towards the reference
     * @param labelSmoothing ε, the assumed share of pairs whose preference is wrong
     */
    record Dpo(DpoLossType form, double beta, double labelSmoothing) implements PreferenceObjective {
        public Dpo {
            requireBeta(beta);
            requireSmoothing(labelSmoothing, "DPO");
            if (labelSmoothing > 0 && form != DpoLossType.SIGMOID) {
                throw new InputException("label_smoothing is " + labelSmoothing + ", but only the sigmoid loss has it");
            }
        }

        @Override
        public boolean needsReference() {
            return true;
        }
    }

    /**
     * Odds-ratio preference optimisation (Hong et al. 2024, equation 6), which needs no reference:
     * {@code -log p(chosen) - β log σ(log odds(chosen) - log odds(rejected))}, likelihoods averaged over tokens, the first one over those of
     * the prompt too and over the whole batch.
     */
    record Orpo(double beta) implements PreferenceObjective {
        public Orpo {
            requireBeta(beta);
        }

        @Override
        public boolean needsReference() {
            return false;
        }
    }

    /**
     * Simple preference optimisation (Meng et al. 2024, equation 6), which needs no reference:
     * {@code -log σ(β (mean log p(chosen) - mean log p(rejected)) - γ)}, means over the tokens of an answer.
     *
     * @param gamma γ, the reward by which the chosen answer should be ahead
     */
    record Simpo(double beta, double gamma) implements PreferenceObjective {
        public Simpo {
            requireBeta(beta);
            if (!(gamma >= 0 && gamma < Double.POSITIVE_INFINITY)) {
                throw new InputException("preference.gamma is " + gamma + ", expected 0 or more");
            }
        }

        @Override
        public boolean needsReference() {
            return false;
        }
    }

    /**
     * Contrastive preference optimisation (Xu et al. 2024, equations 4 and 5), which needs no reference: the loss of {@link Dpo} with
     * log-likelihoods in place of log-ratios, and {@code -α log p(chosen)}, averaged over the tokens of the chosen answers of a batch.
     *
     * @param labelSmoothing ε, the assumed share of pairs whose preference is wrong
     * @param alpha α, the weight of the chosen answers' own loss
     */
    record Cpo(double beta, double labelSmoothing, double alpha) implements PreferenceObjective {
        public Cpo {
            requireBeta(beta);
            requireSmoothing(labelSmoothing, "CPO");
            if (!(alpha >= 0 && alpha < Double.POSITIVE_INFINITY)) {
                throw new InputException("preference.alpha is " + alpha + ", expected 0 or more");
            }
        }

        @Override
        public boolean needsReference() {
            return false;
        }
    }

    /**
     * Kahneman-Tversky optimisation (Ethayarajh et al. 2024, equation 7): {@code λ (1 - σ(±β (r - z)))} with the log-ratio r of an answer
     * and z that of other answers to the same prompts, averaged over the batch and at least 0.
     *
     * @param desirable λ of good answers
     * @param undesirable λ of bad answers
     */
    record Kto(double beta, double desirable, double undesirable) implements PreferenceObjective {
        public Kto {
            requireBeta(beta);
        }

        @Override
        public boolean needsReference() {
            return true;
        }
    }

    /**
     * A reward model from pairs of answers (Bradley and Terry 1952): {@code -log σ(r(chosen) - r(rejected)) + c (r(chosen) +
     * r(rejected))²}.
     *
     * @param centering c, the weight of the term that keeps rewards near 0
     */
    record Reward(double centering) implements TrainingObjective {}

    /** Losses of text embeddings, named after the classes of sentence-transformers. */
    enum EmbeddingLossType {
        /**
         * MultipleNegativesRankingLoss (Henderson et al. 2017, section 4): the cross-entropy of each anchor over all positives and negatives
         * of its batch, with {@code scale * cos} for logits.
         */
        IN_BATCH_NEGATIVES,
        /** CosineSimilarityLoss: {@code (cos(u, v) - score)²}. */
        COSINE,
        /** TripletLoss: {@code max(0, |a - p| - |a - n| + margin)} with Euclidean distances. */
        TRIPLET
    }

    /**
     * Text embeddings that are close for related texts.
     *
     * @param scale the factor of cosines with {@link EmbeddingLossType#IN_BATCH_NEGATIVES}
     * @param margin the margin of {@link EmbeddingLossType#TRIPLET}
     * @param sizes Matryoshka sizes (Kusupati et al. 2022): the loss is summed over prefixes of these many dimensions, each normalised to
     *     length 1; empty for whole vectors
     */
    record Embedding(EmbeddingLossType form, double scale, double margin, List<Integer> sizes)
            implements TrainingObjective {
        /** The defaults of sentence-transformers. */
        public static final Embedding DEFAULT = new Embedding(EmbeddingLossType.IN_BATCH_NEGATIVES, 20, 5, List.of());

        public Embedding {
            sizes = List.copyOf(sizes);
            if (!(scale > 0 && scale < Double.POSITIVE_INFINITY)) {
                throw new InputException("embedding.scale is " + scale + ", expected above 0");
            }
            if (!(margin > 0 && margin < Double.POSITIVE_INFINITY)) {
                throw new InputException("embedding.margin is " + margin + ", expected above 0");
            }
            if (sizes.stream().anyMatch(size -> size < 1)
                    || sizes.stream().distinct().count() < sizes.size()) {
                throw new InputException("embedding.sizes is " + sizes + ", expected different sizes from 1 on");
            }
        }
    }

    private static void requireSmoothing(double labelSmoothing, String objective) {
        if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) {
            throw new InputException("label_smoothing is " + labelSmoothing + ", expected 0 to 0.5 for " + objective
                    + ", where it is the share of pairs that are the wrong way round");
        }
    }

    private static void requireBeta(double beta) {
        if (!(beta > 0 && beta < Double.POSITIVE_INFINITY)) {
            throw new InputException("preference.beta is " + beta + ", expected above 0");
        }
    }
}
