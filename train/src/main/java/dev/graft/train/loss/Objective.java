package dev.graft.train.loss;

import dev.graft.models.Base;
import dev.graft.models.Inputs;
import dev.graft.models.LoadBalance;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Goal;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A loss over batches. Sums and counts are kept apart, so that accumulated small batches give exactly the mean of the large one.
 *
 * <pre>{@code
 * Objective objective = Objective.of(base, 0);
 * Hooks hooks = Selection.of(adapter).hooks();
 * Loss loss = objective.backward(hooks, batch, objective.terms(hooks, batch));
 * }</pre>
 */
public interface Objective {
    /** What the mean loss of a batch divides by: labelled tokens that are predicted, or rows. */
    long terms(Hooks hooks, Batch batch);

    /** The batch with what {@link #backward} and {@link #predict} must know of all of it in each of its parts. */
    default Batch prepared(Hooks hooks, Batch batch) {
        return batch;
    }

    /** Runs forward and backward: adds the gradient of {@code sum / divisor} to every trained parameter. */
    Loss backward(Hooks hooks, Batch batch, double divisor);

    /**
     * What a batch adds to a step that the loss of each of its parts depends on; null where parts know nothing of each other.
     *
     * @return the load of a mixture's experts, where training balances it
     */
    default @Nullable Load load(Hooks hooks, Batch batch) {
        return null;
    }

    /** {@link #backward(Hooks, Batch, double)} of a part of a step, whose load is that of all parts together. */
    default Loss backward(Hooks hooks, Batch batch, double divisor, @Nullable Load step) {
        return backward(hooks, batch, divisor);
    }

    /**
     * How the experts of a mixture were chosen.
     *
     * @param terms the {@link #terms} of the same batches
     */
    record Load(LoadBalance.Load routing, long terms) {
        /** Of two parts of a step together. */
        public Load plus(Load other) {
            return new Load(routing.plus(other.routing), terms + other.terms);
        }
    }

    /** The loss without gradients, dropout or label smoothing, and what the model says about each row. */
    Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions);

    /** The loss without gradients, dropout or label smoothing. */
    default Loss evaluate(Hooks hooks, Batch batch) {
        return predict(hooks, batch, prediction -> {});
    }

    /**
     * The objective that fits the base's task.
     *
     * @param labelSmoothing the share of a target that is spread over all classes, in [0, 1)
     */
    static Objective of(Base base, double labelSmoothing) {
        return of(base, labelSmoothing, (hooks, batch) -> Pass.training(hooks));
    }

    /**
     * The objective that fits the base's task.
     *
     * @param passes makes the pass of a training step: {@code (hooks, batch) -> Pass.training(hooks).checkpointed()}
     */
    static Objective of(Base base, double labelSmoothing, BiFunction<Hooks, Batch, Pass> passes) {
        return of(base, labelSmoothing, null, passes);
    }

    private static Objective of(
            Base base, double labelSmoothing, Goal.@Nullable Distill goal, BiFunction<Hooks, Batch, Pass> passes) {
        SoftTargets.requireFit(base, goal);
        return switch (base.task()) {
            case QUESTION_ANS -> new SpanLoss(base, labelSmoothing, passes);
            case SEMANTIC_SEG -> new PointLoss(base, labelSmoothing, passes);
            case CONTRASTIVE -> new ContrastiveLoss(base, labelSmoothing, passes);
            case CAUSAL_LM, SEQ_2_SEQ_LM, TOKEN_CLS, MASKED_LM -> new TokenLoss(base, labelSmoothing, goal, passes);
            default -> new SequenceLoss(base, labelSmoothing, goal, passes);
        };
    }

    /** The objective for a goal. */
    static Objective of(Base base, Goal goal, double labelSmoothing) {
        return of(base, goal, labelSmoothing, (hooks, batch) -> Pass.training(hooks));
    }

    /** The objective for a goal, with passes of its own. */
    static Objective of(Base base, Goal goal, double labelSmoothing, BiFunction<Hooks, Batch, Pass> passes) {
        if (goal instanceof Goal.OfTargets) {
            return new OfTasks(of(base, labelSmoothing, passes));
        }
        if (goal instanceof Goal.Distill distill) {
            return new OfTasks(of(base, labelSmoothing, distill, passes));
        }
        return new OfTasks(
                goal instanceof Goal.Reward reward
                        ? new RewardLoss(base, reward, passes)
                        : new PreferenceLoss(base, goal, passes));
    }

    /** Whether the rows of a batch may stand in one row, one after another, without a change of what is learnt. */
    default boolean packs(Hooks hooks) {
        return false;
    }

    /** Whether a prompt stands before each row. */
    default boolean prompts(Hooks hooks) {
        return false;
    }

    /** A batch as a model takes it. */
    static Inputs inputs(Batch batch) {
        long[] types = batch.typeIds();
        long[] positions = batch.positions();
        long[] segments = batch.segments();
        Batch.Decoder decoder = batch.decoder();
        Batch.Images images = batch.images();
        return new Inputs(
                Tensors.of(batch.ids(), batch.rows(), batch.width()),
                Tensors.of(batch.attentionMask(), batch.rows(), batch.width()),
                types == null ? null : Tensors.of(types, batch.rows(), batch.width()),
                positions == null ? null : Tensors.of(positions, batch.rows(), batch.width()),
                decoder == null
                        ? null
                        : Inputs.of(
                                Tensors.of(decoder.ids(), batch.rows(), decoder.width()),
                                Tensors.of(
                                        Batch.mask(decoder.lengths(), decoder.width()), batch.rows(), decoder.width())),
                images == null ? null : images.tensor(),
                segments == null ? null : Tensors.of(segments, batch.rows(), batch.width()));
    }
}
