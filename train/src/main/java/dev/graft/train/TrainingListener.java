package dev.graft.train;

import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;

/**
 * Watches a training run. Called on the training thread, in order; an exception stops the run.
 *
 * <pre>{@code
 * TrainingListener printer = new TrainingListener() {
 *     public void onEvaluate(Evaluated evaluated) {
 *         System.out.println(evaluated.step() + ": " + evaluated.metrics());
 *     }
 * };
 * }</pre>
 */
public interface TrainingListener {

    /** Called before the first step, also of a resumed run. */
    default void onStart(Started started) {}

    /** Called after every optimiser step. */
    default void onStep(Stepped stepped) {}

    /** Called after every evaluation. */
    default void onEvaluate(Evaluated evaluated) {}

    /** Called once a checkpoint is safely on the disk. */
    default void onSave(Saved saved) {}

    /** Called once at the end, also when the run stopped early or failed. */
    default void onEnd(Ended ended) {}
}
