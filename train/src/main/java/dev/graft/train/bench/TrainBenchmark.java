package dev.graft.train.bench;

import dev.graft.formats.InputException;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.tensor.Natives;
import dev.graft.train.AutoFreeze;
import dev.graft.train.DataParallel;
import dev.graft.train.DropBackward;
import dev.graft.train.GradientChange;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainingException;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Example;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Times optimiser steps of an adapter: AdamW without weight decay at a constant learning rate of 1e-4, one batch a step. The time of a
 * step starts with rows of ids and ends with changed parameters.
 *
 * <pre>{@code
 * List<List<Example>> batches = Recipe.TUNED.batches(work.examples(), 4, 15);
 * Timings timings = new TrainBenchmark(adapter, 0).run(batches, step -> {}).after(3);
 * System.out.println(timings.tokensPerSecond());
 * }</pre>
 */
public final class TrainBenchmark implements AutoCloseable {
    private static final double LEARNING_RATE = 1e-4;
    private static final int PAD = 0;

    private final long seed;
    private final FlatParameters parameters;
    private final Optimizer optimizer;
    private final LossFunction lossFunction;
    private final DataParallel workers;
    private final @Nullable DropBackward drop;
    private final @Nullable AutoFreeze freeze;

    /**
     * Creates a benchmark of plain steps.
     *
     * @param seed the seed of dropout
     */
    public TrainBenchmark(Adapter adapter, long seed) {
        this(adapter, seed, Economy.NONE, 0, 0);
    }

    /**
     * Creates a benchmark of steps that save memory and time as a run may.
     *
     * @param seed the seed of dropout and of skipped blocks
     * @param economy the savings; a cache of hidden states isn't supported
     * @param steps the number of steps that will be run; blocks are skipped after the first tenth of them
     * @param stepsPerPass the number of steps in an epoch
     */
    public TrainBenchmark(Adapter adapter, long seed, Economy economy, int steps, int stepsPerPass) {
        this.seed = seed;
        this.parameters = new FlatParameters(adapter.trainable());
        this.optimizer = new AdamW(parameters, AdamW.Settings.DEFAULT);
        this.drop = DropBackward.of(adapter.base(), economy, seed, steps);
        this.freeze = AutoFreeze.of(economy, stepsPerPass, adapter, parameters);
        this.lossFunction = Losses.of(adapter.base(), 0, (hooks, batch) -> {
            ForwardPass pass = economy.pass(hooks);
            return drop == null ? pass : pass.withSkippedBackward(drop::drops);
        });
        this.workers = new DataParallel(lossFunction, adapter, parameters, Natives.threads());
    }

    @Override
    public void close() {
        workers.close();
    }

    /**
     * Runs one step on each batch.
     *
     * @throws InputException if nothing in a batch has a label
     * @throws TrainingException if a loss is not finite
     */
    public Timings run(List<List<Example>> batches, Consumer<? super Timings.Step> listener) {
        List<Timings.Step> steps = new ArrayList<>();
        for (List<Example> rows : batches) {
            Timings.Step step = step(steps.size() + 1, rows);
            steps.add(step);
            listener.accept(step);
        }
        return new Timings(steps);
    }

    /** Returns the number of parameters that are frozen by now. */
    public int frozen() {
        return freeze == null ? 0 : freeze.frozen().size();
    }

    /**
     * Runs one step, as {@link #run} does for each batch.
     *
     * @param number the number of the step, from 1
     * @throws InputException if nothing in the batch has a label
     * @throws TrainingException if the loss is not finite
     */
    public Timings.Step step(int number, List<Example> rows) {
        long start = System.nanoTime();
        Batch batch = Batch.of(rows, PAD);
        long terms = lossFunction.terms(workers.hooks(), batch);
        if (terms == 0) {
            throw new InputException("step " + number + ": none of its " + batch.rows()
                    + " rows has a label that is predicted; take larger batches or other rows");
        }
        if (drop != null) {
            drop.draw(number, new GradientChange(parameters, () -> backward(batch, terms, number)));
        }
        Loss loss = backward(batch, terms, number);
        double norm = parameters.gradientNorm();
        if (freeze != null && freeze.observe(number)) {
            workers.freeze(freeze.frozen());
        }
        optimizer.step(LEARNING_RATE);
        double seconds = (System.nanoTime() - start) / 1e9;
        if (!Double.isFinite(loss.mean()) || !Double.isFinite(norm)) {
            throw new TrainingException("step " + number + ": the loss is " + loss.mean() + " and its gradient's norm "
                    + norm + ", so the figures would mean nothing");
        }
        return new Timings.Step(number, loss.mean(), norm, batch.realTokens(), seconds);
    }

    private Loss backward(Batch batch, long terms, int number) {
        return workers.backward(List.of(batch), terms, seed, number, false).loss();
    }
}
