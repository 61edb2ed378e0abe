package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** Optimiser steps: gradients of some batches, checked, clipped and applied. */
final class Stepper implements AutoCloseable {
    /** The id that fills rows up: any does, since padding is masked. */
    static final int PAD = 0;

    private static final int MOST_BAD_STEPS = 3;

    private final TrainSettings settings;
    private final Base base;
    private final Examples examples;
    private final LossFunction lossFunction;
    private final DataParallel workers;
    private final Optimizer optimizer;
    private final TrainingRule rule;
    private final @Nullable DropBackward drop;
    private final @Nullable AutoFreeze freeze;
    private final @Nullable HiddenStateCache hiddenStates;
    private final NonFiniteFinder nonFinite;
    private final LossGuard guard;
    private boolean checked;

    /**
     * @param loss mean over the terms of all batches, with the rule's penalty; NaN if nothing in them has a label
     * @param gradientNorm before clipping
     * @param applied whether the optimiser has changed the parameters
     * @param metrics other figures of the batches by name
     */
    record StepResult(double loss, double gradientNorm, long tokens, boolean applied, Map<String, Double> metrics) {}

    Stepper(
            TrainSettings settings,
            TrainPlan plan,
            Adapter adapter,
            Examples examples,
            Optimizer optimizer,
            TrainingRule rule,
            @Nullable Path folder) {
        Economy economy = settings.economy();
        this.settings = settings;
        this.base = adapter.base();
        this.examples = examples;
        this.lossFunction = Losses.of(
                adapter.base(), examples.objective(), settings.optimization().labelSmoothing(), this::pass);
        this.workers = new DataParallel(lossFunction, adapter, optimizer.parameters(), Natives.threads());
        this.optimizer = optimizer;
        this.rule = rule;
        this.drop = DropBackward.of(adapter.base(), economy, settings.seed(), plan.totalSteps());
        this.freeze = AutoFreeze.of(economy, plan.stepsPerEpoch(), adapter, optimizer.parameters());
        if (economy.cacheBytes() >= 0 && !examples.isOneToOne()) {
            throw new InputException(
                    "cache_frozen_layers is true, but rows are packed, split, compared or masked, while layers are"
                            + " cached for whole rows; leave one of them out");
        }
        this.hiddenStates = economy.cacheBytes() < 0
                ? null
                : new HiddenStateCache(
                        adapter,
                        economy.cacheBytes(),
                        folder == null ? Path.of(System.getProperty("java.io.tmpdir")) : folder);
        if (hiddenStates != null) {
            workers.keepRows();
        }
        if (economy.trims()) {
            workers.trimBetweenBatches();
        }
        this.nonFinite = new NonFiniteFinder(adapter, workers.hooks(), optimizer.parameters());
        this.guard = new LossGuard(MOST_BAD_STEPS, settings.optimization().lossSpike());
    }

    private ForwardPass pass(Hooks hooks, Batch batch) {
        ForwardPass pass = settings.economy().pass(hooks);
        ForwardPass dropping = drop == null ? pass : pass.withSkippedBackward(drop::drops);
        return hiddenStates == null ? dropping : dropping.withFrozenLayers(hiddenStates.of(batch));
    }

    /** Returns the tensors that steps depend on, besides those of the optimiser and the rule, for a checkpoint. */
    Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>(Map.of("losses", guard.losses()));
        if (drop != null) {
            state.put("drop_rates", drop.rates());
        }
        if (freeze != null) {
            state.putAll(freeze.state());
        }
        return state;
    }

    /** After {@link #state} has been put back. */
    void onRestored() {
        if (freeze != null) {
            workers.freeze(freeze.frozen());
        }
    }

    @Override
    public void close() {
        workers.close();
        if (hiddenStates != null) {
            hiddenStates.close();
        }
    }

    /**
     * Computes the gradient of each of these batches and calls {@code look} after each.
     *
     * @throws CancellationException if it was interrupted
     */
    void visitGradients(int[][] batches, Runnable look, BooleanSupplier interrupted) {
        workers.prepare(0);
        for (int[] rows : batches) {
            if (interrupted.getAsBoolean()) {
                throw new CancellationException("interrupted before the first step");
            }
            Batch batch = lossFunction.prepare(workers.hooks(), examples.batch(rows, PAD));
            long terms = lossFunction.terms(workers.hooks(), batch);
            if (terms > 0) {
                workers.backward(List.of(batch), terms, settings.seed(), -1, false);
                look.run();
            }
        }
    }

    /**
     * Refuses packed rows that aren't learnt as the same rows alone: where the method or the model reads beyond a token's own text.
     *
     * @throws InputException saying how far the gradients are apart
     */
    void requireIsolation(Batch packed, Batch alone) {
        FlatParameters parameters = optimizer.parameters();
        workers.prepare(0);
        try (Scope scope = new Scope();
                Dropout.Disabled disabled = Dropout.disabled()) {
            Tensor expected = gradients(alone).clone();
            double difference = Tensors.item(gradients(packed).sub(expected).norm());
            double size = Tensors.item(expected.norm());
            boolean exact = base.numerics().equals(Numerics.FP32);
            if (!(difference <= (exact ? 1e-3 : 5e-2) * size)) {
                throw new InputException(String.format(
                        Locale.ROOT,
                        "packing is true, but packed rows are not learnt as the same rows alone (their gradients"
                                + " differ by %.2g of %.2g): the method or the model reads beyond a row; leave packing"
                                + " out",
                        difference,
                        size));
            }
        } finally {
            parameters.zeroGradients();
        }
    }

    private Tensor gradients(Batch batch) {
        optimizer.parameters().zeroGradients();
        lossFunction.backward(workers.hooks(), batch, lossFunction.terms(workers.hooks(), batch));
        return optimizer.parameters().gradients();
    }

    /**
     * One step.
     *
     * @param step its number, from 1
     * @param interrupted checked between batches, until the optimiser changes the parameters
     * @throws TrainingException if steps are not finite again and again, or a parameter can't learn
     * @throws CancellationException if it was interrupted; the step can be done again as if it had never begun
     */
    StepResult step(long step, List<int[]> rows, double learningRate, BooleanSupplier interrupted) {
        List<Batch> batches = new ArrayList<>(rows.size());
        long terms = 0;
        long tokens = 0;
        for (int[] indices : rows) {
            Batch batch = Profiler.time("reading rows", () -> examples.batch(indices, PAD, step));
            batches.add(batch);
            terms += lossFunction.terms(workers.hooks(), batch);
            tokens += batch.realTokens();
        }
        if (terms == 0) {
            return new StepResult(Double.NaN, 0, tokens, false, Map.of());
        }
        FlatParameters parameters = optimizer.parameters();
        workers.prepare(optimizer.steps());
        rule.beforeStep(step - 1);
        batches.replaceAll(batch -> lossFunction.prepare(workers.hooks(), batch));
        long divisor = terms;
        if (drop != null) {
            drop.draw(step, new GradientChange(parameters, () -> gradients(step, batches, divisor, interrupted)));
        }
        Loss found = gradients(step, batches, divisor, interrupted);
        double loss = found.mean() + penalty();
        double norm = parameters.gradientNorm();
        boolean good = guard.accepts(step, loss, norm, () -> nonFinite.find(batches), () -> places(batches));
        if (good) {
            if (freeze != null && freeze.observe(step)) {
                workers.freeze(freeze.frozen());
            }
            double most = settings.optimization().maxGradientNorm();
            if (most > 0) {
                parameters.clip(norm, most);
            }
            rule.beforeUpdate(step - 1);
            Profiler.time("optimiser", () -> {
                optimizer.step(
                        learningRate,
                        loss,
                        () -> gradients(step, batches, divisor, () -> false).mean());
                return loss;
            });
            rule.afterUpdate(step - 1, learningRate);
        }
        Map<String, Double> figures = new TreeMap<>();
        found.metrics().forEach((name, figure) -> figures.put(name, figure.mean()));
        return new StepResult(loss, norm, tokens, good, figures);
    }

    /** Adds the gradient of the rule's penalty. */
    private double penalty() {
        try (Scope scope = new Scope()) {
            Tensor penalty = rule.penalty();
            if (penalty == null) {
                return 0;
            }
            penalty.backward();
            return Tensors.item(penalty);
        }
    }

    private Loss gradients(long step, List<Batch> batches, long terms, BooleanSupplier interrupted) {
        DataParallel.BackwardResult result;
        boolean check = !checked && rule.trainsAllParameters() && (drop == null || drop.dropsNothing());
        try {
            result = workers.backward(batches, terms, settings.seed(), step, check, interrupted);
        } catch (RuntimeException error) {
            if (!TensorException.isNative(error)) {
                throw error;
            }
            int widest = batches.stream().mapToInt(Batch::width).max().orElse(0);
            throw TensorException.at(
                    "step " + step + ", rows of up to " + widest + " tokens (" + String.join(", ", places(batches))
                            + ")",
                    error);
        }
        if (!result.unreached().isEmpty()) {
            throw new TrainingException("step " + step + ": the loss does not depend on "
                    + result.unreached().size() + " trained parameter(s), so they would never learn: "
                    + String.join(", ", result.unreached()) + ". Leave their modules out of the targets");
        }
        checked |= check;
        return result.loss();
    }

    private List<String> places(List<Batch> batches) {
        return batches.stream()
                .flatMap(batch -> examples.places(batch).stream())
                .toList();
    }
}
