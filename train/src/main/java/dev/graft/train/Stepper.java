package dev.graft.train;

import dev.graft.peft.Adapter;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Scope;
import dev.graft.tensor.TensorException;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.Loss;
import dev.graft.train.loss.Objective;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Optimizer;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Optimiser steps: gradients of some batches, checked, clipped and applied. */
final class Stepper implements AutoCloseable {
    /** What fills rows up: any id does, since padding is masked. */
    static final int PAD = 0;

    private static final int MOST_BAD_STEPS = 3;

    private final TrainSettings settings;
    private final Examples examples;
    private final Objective objective;
    private final DataParallel workers;
    private final Optimizer optimizer;
    private final TrainingRule rule;
    private final NonFiniteGuard guard = new NonFiniteGuard(MOST_BAD_STEPS);
    private boolean checked;

    /**
     * @param loss mean over the terms of all batches, with the rule's penalty; NaN if nothing in them has a label
     * @param gradientNorm before clipping
     */
    record Outcome(double loss, double gradientNorm, long tokens) {}

    Stepper(TrainSettings settings, Adapter adapter, Examples examples, Optimizer optimizer, TrainingRule rule) {
        this.settings = settings;
        this.examples = examples;
        this.objective = Objective.of(adapter.base(), settings.optimization().labelSmoothing());
        this.workers = new DataParallel(objective, adapter, optimizer.parameters(), Natives.threads());
        this.optimizer = optimizer;
        this.rule = rule;
    }

    @Override
    public void close() {
        workers.close();
    }

    /** Forms the gradient of each of these batches and lets somebody look at it. */
    void look(int[][] batches, Runnable look) {
        workers.prepare(0);
        for (int[] rows : batches) {
            Batch batch = examples.batch(rows, PAD);
            long terms = objective.terms(workers.hooks(), batch);
            if (terms > 0) {
                workers.backward(List.of(batch), terms, settings.seed(), -1, false);
                look.run();
            }
        }
    }

    /**
     * One step.
     *
     * @param step its number, from 1
     * @throws TrainingException if steps are not finite again and again, or a parameter can't learn
     */
    Outcome step(long step, List<int[]> rows, double learningRate) {
        List<Batch> batches = new ArrayList<>(rows.size());
        long terms = 0;
        long tokens = 0;
        for (int[] indices : rows) {
            Batch batch = examples.batch(indices, PAD);
            batches.add(batch);
            terms += objective.terms(workers.hooks(), batch);
            tokens += batch.realTokens();
        }
        if (terms == 0) {
            return new Outcome(Double.NaN, 0, tokens);
        }
        FlatParameters parameters = optimizer.parameters();
        workers.prepare(optimizer.steps());
        rule.beforeStep(step - 1);
        double loss = gradients(step, batches, terms).mean() + penalty();
        double norm = parameters.gradientNorm();
        if (guard.accepts(step, loss, norm, () -> places(batches))) {
            double most = settings.optimization().maxGradientNorm();
            if (most > 0) {
                parameters.clip(norm, most);
            }
            rule.beforeUpdate(step - 1);
            optimizer.step(learningRate);
            rule.afterUpdate(step - 1, learningRate);
        }
        return new Outcome(loss, norm, tokens);
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

    private Loss gradients(long step, List<Batch> batches, long terms) {
        DataParallel.Outcome outcome;
        try {
            outcome = workers.backward(batches, terms, settings.seed(), step, !checked);
        } catch (RuntimeException error) {
            if (error.getClass() != RuntimeException.class) {
                throw error;
            }
            int widest = batches.stream().mapToInt(Batch::width).max().orElse(0);
            throw TensorException.at(
                    "step " + step + ", rows of up to " + widest + " tokens (" + String.join(", ", places(batches))
                            + ")",
                    error);
        }
        if (!outcome.unreached().isEmpty()) {
            throw new TrainingException("step " + step + ": the loss does not depend on "
                    + outcome.unreached().size() + " trained parameter(s), so they would never learn: "
                    + String.join(", ", outcome.unreached()) + ". Leave their modules out of the targets");
        }
        checked = true;
        return outcome.loss();
    }

    private List<String> places(List<Batch> batches) {
        return batches.stream()
                .flatMap(batch -> examples.places(batch).stream())
                .toList();
    }
}
