package dev.graft.train.loss;

import dev.graft.models.forward.Inputs;
import dev.graft.models.forward.LoadBalance;
import dev.graft.models.sites.Hooks;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A loss over batches. It returns sums and counts, so that accumulated small batches give exactly the mean of the large one.
 *
 * <pre>{@code
 * LossFunction loss = Losses.of(base, 0);
 * Hooks hooks = Selection.of(adapter).hooks();
 * Loss result = loss.backward(hooks, batch, loss.terms(hooks, batch));
 * }</pre>
 */
public interface LossFunction {
    /** Returns the divisor of the mean loss of a batch: labelled tokens that are predicted, or rows. */
    long terms(Hooks hooks, Batch batch);

    /** Adds the statistics of the whole batch that {@link #backward} and {@link #predict} need in each of its parts. */
    default Batch prepare(Hooks hooks, Batch batch) {
        return batch;
    }

    /** Runs forward and backward: adds the gradient of {@code sum / divisor} to every trained parameter. */
    Loss backward(Hooks hooks, Batch batch, double divisor);

    /**
     * Returns the load of a mixture's experts by a batch, if training balances it; null if the parts of a step are independent.
     */
    default @Nullable ExpertLoad expertLoad(Hooks hooks, Batch batch) {
        return null;
    }

    /**
     * Runs {@link #backward(Hooks, Batch, double)} of a part of a step.
     *
     * @param step the experts' load by all parts of the step together; null for independent parts
     */
    default Loss backward(Hooks hooks, Batch batch, double divisor, @Nullable ExpertLoad step) {
        return backward(hooks, batch, divisor);
    }

    /**
     * The routing of tokens to the experts of a mixture.
     *
     * @param terms the {@link #terms} of the same batches
     */
    record ExpertLoad(LoadBalance.Load routing, long terms) {
        /** Adds up two parts of a step. */
        public ExpertLoad plus(ExpertLoad other) {
            return new ExpertLoad(routing.plus(other.routing), terms + other.terms);
        }
    }

    /**
     * Computes the loss without gradients, dropout or label smoothing, and passes the prediction for each row to a consumer.
     */
    Loss predict(Hooks hooks, Batch batch, Consumer<? super Prediction> predictions);

    /** Computes the loss without gradients, dropout or label smoothing. */
    default Loss evaluate(Hooks hooks, Batch batch) {
        return predict(hooks, batch, prediction -> {});
    }

    /** Returns whether the rows of a batch may be packed into one row without changing the loss. */
    default boolean canPack(Hooks hooks) {
        return false;
    }

    /** Returns whether a soft prompt precedes each row. */
    default boolean hasPrompt(Hooks hooks) {
        return false;
    }

    /** Converts a batch to model inputs. */
    static Inputs inputs(Batch batch) {
        long[] types = batch.typeIds();
        long[] positions = batch.positions();
        long[] segments = batch.segments();
        Batch.DecoderInputs decoder = batch.decoder();
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
