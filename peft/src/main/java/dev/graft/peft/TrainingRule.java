package dev.graft.peft;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The behaviour of a method in the training of its adapter, beyond gradient steps on its parameters. A trainer uses one rule per run and calls it
 * on one thread. Gradients are those of the whole step, summed over all rows. Steps count from 0. A rule may depend only on the step, the
 * parameters, their gradients and its {@link #state}, so a resumed run equals an uninterrupted one.
 */
public interface TrainingRule {
    /** A rule without any additional behaviour. */
    TrainingRule NONE = new TrainingRule() {};

    /**
     * The facts of a run that are known before its first step.
     *
     * @param steps the optimiser steps of the whole run
     * @param stepsPerEpoch the optimiser steps of a pass over the examples
     * @param learningRate the base learning rate
     * @param seed the random seed of the run
     */
    record Run(long steps, long stepsPerEpoch, double learningRate, long seed) {}

    /**
     * The learning rate of a parameter.
     *
     * @param factor the factor on the run's learning rate
     * @param firstStep the first optimiser step that changes it; before it has no gradient
     */
    record Rate(double factor, long firstStep) {
        /** The learning rate of the run. */
        public static final Rate DEFAULT = new Rate(1, 0);
    }

    /** Gradients of the examples before training. */
    @FunctionalInterface
    interface Gradients {
        /**
         * Computes the gradient of the mean loss in the parameters for each batch of one pass over the examples, and calls {@code look} after
         * each.
         */
        void forEachBatch(Runnable look);
    }

    /** Returns the learning rate of a parameter. */
    default Rate rate(String parameter) {
        return Rate.DEFAULT;
    }

    /** Runs before the first step, but not if a run continues from a checkpoint. */
    default void begin(Gradients gradients) {}

    /** Runs before the forward passes of a step. */
    default void beforeStep(long step) {}

    /**
     * Returns whether every trained parameter contributes to the present step. If not, a parameter without a gradient may learn in another step;
     * otherwise it is an error.
     */
    default boolean trainsAllParameters() {
        return true;
    }

    /** Returns a scalar that is added to the loss of a step, as a function of the parameters; null for none. */
    default @Nullable Tensor penalty() {
        return null;
    }

    /**
     * Runs before the optimiser applies the gradients of a step, which are already clipped and may be changed in place.
     */
    default void beforeUpdate(long step) {}

    /**
     * Runs after the optimiser has applied the gradients of a step. They are still available, and parameters may be changed in place.
     */
    default void afterUpdate(long step, double learningRate) {}

    /** Returns the first step after which an evaluation may be the best one. Before it the adapter isn't complete. */
    default long firstCompleteStep() {
        return 0;
    }

    /** Runs after the parameters of this number of steps, the best of a run, are restored. No training follows. */
    default void afterRestore(long steps) {}

    /**
     * Returns whether the mean of the adapter over several steps is a valid adapter of its kind. It isn't if steps set values to exactly zero.
     */
    default boolean allowsAveraging() {
        return true;
    }

    /** Returns the values that it keeps between steps, by name. A checkpoint saves and restores them in place. */
    default Map<String, Tensor> state() {
        return Map.of();
    }
}
