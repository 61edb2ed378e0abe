package dev.graft.train;

import dev.graft.train.TrainingEvent.Reason;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a run came to.
 *
 * @param steps optimiser steps done, those before a resumed checkpoint included
 * @param from how many of them a checkpoint had from which the run went on
 * @param loss of the last step; NaN if there was none
 * @param metrics of the last evaluation, empty if there was none
 * @param best the watched metric's best value, null without an evaluation
 * @param tokens real tokens that all steps saw
 * @param elapsed time since the run began or went on, evaluations and checkpoints included
 * @param adapter where the adapter was saved; null without a folder, or if the run was interrupted
 */
public record TrainResult(
        long steps,
        long from,
        double loss,
        Map<String, Double> metrics,
        @Nullable BestScore best,
        long tokens,
        Duration elapsed,
        Reason reason,
        @Nullable Path adapter) {}
