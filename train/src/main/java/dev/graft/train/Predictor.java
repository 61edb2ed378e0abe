package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchSampler;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.loss.Prediction;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Runs a model over examples batch by batch, sorted to save padding, and passes the prediction for each row to a consumer. No prediction is
 * stored.
 *
 * <pre>{@code
 * Predictor predictor = new Predictor(base, examples, 32);
 * Loss loss = predictor.predict(Selection.of(adapter).hooks(), prediction -> confusion.add(prediction));
 * }</pre>
 */
public final class Predictor {
    private final Examples examples;
    private final BatchSampler sampler;
    private final LossFunction lossFunction;
    private final BooleanSupplier interrupted;

    public Predictor(Base base, Examples examples, int batchSize) {
        this(base, examples, batchSize, () -> false);
    }

    /** @param interrupted checked before each batch; once it is true, predicting is abandoned */
    public Predictor(Base base, Examples examples, int batchSize, BooleanSupplier interrupted) {
        this.examples = examples;
        this.sampler = new BatchSampler(examples.lengths(), batchSize, ExampleOrder.LENGTH_SORTED, 0, false);
        this.lossFunction = Losses.of(base, examples.objective(), 0);
        this.interrupted = interrupted;
    }

    /** Returns the {@link Examples#digest} of the examples. */
    public String digest() {
        return examples.digest();
    }

    /**
     * Computes the loss over all examples. The consumer gets each row once, in no particular order; a text read in windows counts as one
     * row, by its best window.
     *
     * @throws CancellationException if it was interrupted
     */
    public Loss predict(Hooks hooks, Consumer<? super Prediction> predictions) {
        Map<Integer, Prediction.AnswerSpan> answers = new TreeMap<>();
        Consumer<Prediction> each = prediction -> {
            if (prediction instanceof Prediction.AnswerSpan span) {
                answers.merge(span.row(), span, Prediction.AnswerSpan::better);
            } else {
                predictions.accept(prediction);
            }
        };
        Loss loss = Loss.NONE;
        for (int[] rows : sampler.epoch(0)) {
            if (interrupted.getAsBoolean()) {
                throw new CancellationException("interrupted while rows were predicted");
            }
            Batch batch = lossFunction.prepare(hooks, examples.batch(rows, Stepper.PAD));
            loss = loss.plus(lossFunction.predict(hooks, batch, each));
        }
        answers.values().forEach(predictions);
        return loss;
    }
}
