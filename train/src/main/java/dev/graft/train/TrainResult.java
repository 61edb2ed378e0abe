package dev.graft.train;

import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.checkpoints.BestScore;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The result of a training run.
 *
 * @param steps optimiser steps done, those before a resumed checkpoint included
 * @param startStep the step of the checkpoint that the run resumed; 0 for none
 * @param loss the loss of the last step; NaN if there was none
 * @param metrics of the last evaluation, empty if there was none
 * @param best the watched metric's best value, null without an evaluation
 * @param tokens the tokens of all steps, padding excluded
 * @param elapsed time since the run began or was resumed, evaluations and checkpoints included
 * @param adapter where the adapter was saved; null without a folder, or if the run was interrupted
 */
public record TrainResult(
        long steps,
        long startStep,
        double loss,
        Map<String, Double> metrics,
        @Nullable BestScore best,
        long tokens,
        Duration elapsed,
        EndReason reason,
        @Nullable Path adapter) {}
