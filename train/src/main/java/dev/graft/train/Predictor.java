package dev.graft.train;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.data.Batch;
import dev.graft.train.data.BatchPlan;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Order;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.Objective;
import dev.graft.train.loss.Prediction;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Runs a model over examples batch by batch, in an order of little padding, and hands out what it says about each row; nothing is kept.
 *
 * <pre>{@code
 * Predictor predictor = new Predictor(base, examples, 32);
 * Loss loss = predictor.predict(Selection.of(adapter).hooks(), prediction -> confusion.add(prediction));
 * }</pre>
 */
public final class Predictor {
    private final Examples examples;
    private final BatchPlan plan;
    private final Objective objective;
    private final BooleanSupplier interrupted;

    public Predictor(Base base, Examples examples, int batchSize) {
        this(base, examples, batchSize, () -> false);
    }

    /** @param interrupted asked before each batch; once it is true, predicting is abandoned */
    public Predictor(Base base, Examples examples, int batchSize, BooleanSupplier interrupted) {
        this.examples = examples;
        this.plan = new BatchPlan(examples.lengths(), batchSize, Order.LENGTH_SORTED, 0, false);
        this.objective = Objective.of(base, examples.goal(), 0);
        this.interrupted = interrupted;
    }

    /** {@link Examples#digest} of the examples. */
    public String digest() {
        return examples.digest();
    }

    /**
     * The loss over all examples; each row is handed out once, in no particular order, a text in windows by its best one.
     *
     * @throws CancellationException if it was interrupted
     */
    public Loss predict(Hooks hooks, Consumer<? super Prediction> predictions) {
        Map<Integer, Prediction.Answer> answers = new TreeMap<>();
        Consumer<Prediction> each = prediction -> {
            if (prediction instanceof Prediction.Answer answer) {
                answers.merge(answer.row(), answer, Prediction.Answer::or);
            } else {
                predictions.accept(prediction);
            }
        };
        Loss loss = Loss.NONE;
        for (int[] rows : plan.epoch(0)) {
            if (interrupted.getAsBoolean()) {
                throw new CancellationException("interrupted while rows were predicted");
            }
            Batch batch = objective.prepared(hooks, examples.batch(rows, Stepper.PAD));
            loss = loss.plus(objective.predict(hooks, batch, each));
        }
        answers.values().forEach(predictions);
        return loss;
    }
}
