package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Batch;
import dev.graft.train.data.TrainingObjective;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/** Creates the losses of tasks and training objectives. To add one, add a line to the table here. */
public final class Losses {
    /** A way to learn a task's targets. */
    @FunctionalInterface
    private interface TaskLoss {
        LossFunction of(Base base, Options options);
    }

    /**
     * Settings of a loss.
     *
     * @param labelSmoothing the share of a target that is spread over all classes, in [0, 1)
     * @param teacher distillation beside the targets; null for the targets alone
     * @param passes creates the pass of a training step
     */
    private record Options(
            double labelSmoothing,
            TrainingObjective.@Nullable Distill teacher,
            BiFunction<Hooks, Batch, ForwardPass> passes) {}

    private static final TaskLoss TOKENS =
            (base, options) -> new TokenLoss(base, options.labelSmoothing, options.teacher, options.passes);

    private static final TaskLoss SEQUENCES =
            (base, options) -> new SequenceLoss(base, options.labelSmoothing, options.teacher, options.passes);

    /** Tasks that score more or less than a row as a whole; all others are learnt by {@link #SEQUENCES}. */
    private static final Map<Task, TaskLoss> BY_TASK = Map.of(
            Task.CAUSAL_LM, TOKENS,
            Task.SEQ_2_SEQ_LM, TOKENS,
            Task.TOKEN_CLS, TOKENS,
            Task.MASKED_LM, TOKENS,
            Task.QUESTION_ANS, (base, options) -> new SpanLoss(base, options.labelSmoothing, options.passes),
            Task.SEMANTIC_SEG, (base, options) -> new SegmentationLoss(base, options.labelSmoothing, options.passes),
            Task.CONTRASTIVE, (base, options) -> new ContrastiveLoss(base, options.labelSmoothing, options.passes));

    private Losses() {}

    /**
     * Returns the loss of the base's task.
     *
     * @param labelSmoothing the share of a target that is spread over all classes, in [0, 1)
     */
    public static LossFunction of(Base base, double labelSmoothing) {
        return of(base, labelSmoothing, (hooks, batch) -> ForwardPass.training(hooks));
    }

    /**
     * Returns the loss of the base's task.
     *
     * @param passes creates the pass of a training step: {@code (hooks, batch) -> ForwardPass.training(hooks).checkpointed()}
     */
    public static LossFunction of(Base base, double labelSmoothing, BiFunction<Hooks, Batch, ForwardPass> passes) {
        return ofTask(base, new Options(labelSmoothing, null, passes));
    }

    /** Returns the loss of an objective. */
    public static LossFunction of(Base base, TrainingObjective objective, double labelSmoothing) {
        return of(base, objective, labelSmoothing, (hooks, batch) -> ForwardPass.training(hooks));
    }

    /**
     * Returns the loss of an objective for rows that may name tasks.
     *
     * @param passes creates the pass of a training step
     */
    public static LossFunction of(
            Base base,
            TrainingObjective objective,
            double labelSmoothing,
            BiFunction<Hooks, Batch, ForwardPass> passes) {
        return new MultiTaskLoss(ofObjective(base, objective, labelSmoothing, passes));
    }

    private static LossFunction ofObjective(
            Base base,
            TrainingObjective objective,
            double labelSmoothing,
            BiFunction<Hooks, Batch, ForwardPass> passes) {
        if (objective instanceof TrainingObjective.PreferenceObjective preference) {
            return new PreferenceLoss(base, preference, passes);
        } else if (objective instanceof TrainingObjective.Reward reward) {
            return new RewardLoss(base, reward, passes);
        } else if (objective instanceof TrainingObjective.Embedding embedding) {
            return new EmbeddingLoss(base, embedding, passes);
        } else if (objective instanceof TrainingObjective.Distill teacher) {
            return ofTask(base, new Options(labelSmoothing, teacher, passes));
        } else if (objective instanceof TrainingObjective.Supervised) {
            return ofTask(base, new Options(labelSmoothing, null, passes));
        }
        throw new IllegalArgumentException("no loss is known for " + objective);
    }

    private static LossFunction ofTask(Base base, Options options) {
        SoftTargets.requireFit(base, options.teacher);
        return BY_TASK.getOrDefault(base.task(), SEQUENCES).of(base, options);
    }
}
