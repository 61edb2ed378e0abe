package dev.graft.train;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Events that a {@link TrainingListener} receives. Steps are optimiser steps and count from 1; epochs are fractional. */
public sealed interface TrainingEvent {

    /** Returns the last finished optimiser step; 0 before the first. */
    long step();

    /**
     * @param step steps done before this run: 0, or that of the checkpoint it resumes
     * @param resumed the checkpoint that it resumes, null for none
     * @param rejected reasons why newer checkpoints were skipped
     */
    record Started(long step, long totalSteps, @Nullable Path resumed, List<String> rejected) implements TrainingEvent {
        public Started {
            rejected = List.copyOf(rejected);
        }
    }

    /**
     * @param loss mean over the step's loss tokens (causal) or rows (classification)
     * @param gradientNorm before clipping
     * @param learningRate the rate this step used
     * @param tokens real tokens of this step, without padding
     * @param tokensPerSecond smoothed
     * @param memoryBytes resident memory of the process; 0 where the system does not say
     * @param elapsed since the start of this run
     * @param remaining estimate; null before there is one
     * @param metrics what else is known of the step's rows by name, such as {@code reward_margin}
     */
    record Stepped(
            long step,
            long totalSteps,
            double epoch,
            double loss,
            double gradientNorm,
            double learningRate,
            long tokens,
            double tokensPerSecond,
            long memoryBytes,
            Duration elapsed,
            @Nullable Duration remaining,
            Map<String, Double> metrics)
            implements TrainingEvent {
        public Stepped {
            metrics = Collections.unmodifiableMap(new TreeMap<>(metrics));
        }
    }

    /**
     * @param metrics by name, {@code loss} among them, in the order to show them
     * @param best true if the watched metric was never better
     */
    record Evaluated(long step, double epoch, Map<String, Double> metrics, boolean best, Duration duration)
            implements TrainingEvent {}

    record Saved(long step, Path folder) implements TrainingEvent {}

    record Ended(long step, EndReason reason, Duration elapsed) implements TrainingEvent {}

    enum EndReason {
        FINISHED,
        STOPPED_EARLY,
        OUT_OF_TIME,
        INTERRUPTED,
        FAILED
    }
}
