package dev.graft.peft;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a method does while its adapter is trained, beside having parameters: a trainer asks for one rule for a run and calls it on one
 * thread. Gradients are those of the whole step, summed over all rows. Steps count from 0. What a rule does may depend on the step, the
 * parameters, their gradients and its {@link #state} alone, so that a resumed run equals an uninterrupted one.
 */
public interface TrainingRule {
    /** Nothing but gradient steps. */
    TrainingRule NONE = new TrainingRule() {};

    /**
     * What is known of a run before its first step.
     *
     * @param steps optimiser steps of the whole run
     * @param stepsPerEpoch optimiser steps of a pass over the rows
     * @param learningRate the base rate
     * @param seed of the run
     */
    record Run(long steps, long stepsPerEpoch, double learningRate, long seed) {}

    /**
     * How fast a parameter learns.
     *
     * @param factor on the run's learning rate
     * @param from the first optimiser step that changes it; until then no gradient is formed for it
     */
    record Rate(double factor, long from) {
        /** As the run. */
        public static final Rate USUAL = new Rate(1, 0);
    }

    /** Gradients of the rows before anything is trained. */
    @FunctionalInterface
    interface Gradients {
        /** For each batch of one pass over the rows: forms the gradient of its mean loss in the parameters, then lets somebody look. */
        void forEachBatch(Runnable look);
    }

    /** How fast a parameter learns. */
    default Rate rate(String parameter) {
        return Rate.USUAL;
    }

    /** Before the first step; not called where a run goes on from a checkpoint. */
    default void begin(Gradients gradients) {}

    /** Before the forward passes of a step. */
    default void beforeStep(long step) {}

    /**
     * Whether everything that is trained takes part in the present step. Where it doesn't, a parameter that no gradient reaches may learn in
     * another step; else it is an error.
     */
    default boolean isWhole() {
        return true;
    }

    /** A scalar that is added to the loss of a step, as a function of the parameters; null for none. */
    default @Nullable Tensor penalty() {
        return null;
    }

    /** Before the optimiser applies the gradients of a step, which are clipped and may be changed in place. */
    default void beforeUpdate(long step) {}

    /** After the optimiser has applied the gradients of a step, which are still there; parameters may be changed in place. */
    default void afterUpdate(long step, double learningRate) {}

    /** The first step after which an evaluation may be the best one: before it the adapter isn't yet what was asked for. */
    default long complete() {
        return 0;
    }

    /** After the parameters have been put back to what they were behind so many steps, the best ones of a run; nothing is trained after it. */
    default void restored(long steps) {}

    /** Whether the mean of the adapter over several steps is an adapter of its kind; not where steps set values to exactly zero. */
    default boolean averages() {
        return true;
    }

    /** What it remembers between steps, by name; a checkpoint holds it and puts it back in place. */
    default Map<String, Tensor> state() {
        return Map.of();
    }
}
