package dev.graft.train.schedules;

import dev.graft.formats.InputException;
import org.jspecify.annotations.Nullable;

/**
 * The factor on the base learning rate at each optimiser step, equal step by step to the schedules of Hugging Face transformers
 * ({@code optimization.py}). Steps count from 0 and are optimiser steps, never micro-batches; steps beyond the end are defined.
 *
 * <pre>{@code
 * Schedule schedule = ScheduleFactory.create("cosine", new Schedule.Timeline(10, 200, 1e-3), Map.of());
 * double learningRate = 1e-3 * schedule.factor(step);
 * }</pre>
 */
public sealed interface Schedule {

    /** Returns the factor at a step, at least 0. */
    double factor(long step);

    /** Returns the number of warm-up steps for a ratio of all steps, rounded up as in transformers. */
    static int warmupSteps(double ratio, int totalSteps) {
        if (!(ratio >= 0 && ratio <= 1)) {
            throw new InputException("warmup_ratio is " + ratio + ", expected 0 to 1");
        }
        return (int) Math.ceil(totalSteps * ratio);
    }

    /**
     * The steps and the rate that a schedule covers.
     *
     * @param learningRate the base rate, to which absolute options such as {@code lr_end} are compared
     */
    record Timeline(int warmupSteps, int totalSteps, double learningRate) {
        public Timeline {
            if (warmupSteps < 0) {
                throw new InputException("warmup_steps is " + warmupSteps + ", expected 0 or more");
            }
            if (totalSteps < 1) {
                throw new InputException("the schedule has " + totalSteps + " steps, expected 1 or more");
            }
            if (!(learningRate > 0 && learningRate < Double.POSITIVE_INFINITY)) {
                throw new InputException("learning_rate is " + learningRate + ", expected a finite number above 0");
            }
        }

        boolean isWarmingUp(long step) {
            return step < warmupSteps;
        }

        double warmup(long step) {
            return (double) step / Math.max(1, warmupSteps);
        }

        double progress(long step) {
            return (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
        }
    }

    /** A linear warm-up from 0, if there is one, then a factor of 1. */
    record Constant(Timeline timeline) implements Schedule {
        @Override
        public double factor(long step) {
            return timeline.isWarmingUp(step) ? timeline.warmup(step) : 1;
        }
    }

    /** Linear warm-up, then a linear decay to 0. */
    record Linear(Timeline timeline) implements Schedule {
        @Override
        public double factor(long step) {
            return timeline.isWarmingUp(step)
                    ? timeline.warmup(step)
                    : Math.max(
                            0,
                            (double) (timeline.totalSteps - step)
                                    / Math.max(1, timeline.totalSteps - timeline.warmupSteps));
        }
    }

    /**
     * Linear warm-up, then a cosine.
     *
     * @param cycles waves until the end; 0.5 goes once from 1 to the lowest factor
     */
    record Cosine(Timeline timeline, double cycles, double lowest) implements Schedule {
        @Override
        public double factor(long step) {
            return timeline.isWarmingUp(step) ? timeline.warmup(step) : wave(cycles, timeline.progress(step), lowest);
        }
    }

    /**
     * A cosine to the lowest factor, with a warm-up whose factor at step 0 is above 0 and which ends one step earlier
     * ({@code cosine_warmup_with_min_lr}).
     *
     * @param first factor at step 0; NaN for 1 / warm-up steps
     */
    record CosineWarmupWithMinLr(Timeline timeline, double cycles, double lowest, double first) implements Schedule {
        @Override
        public double factor(long step) {
            if (!timeline.isWarmingUp(step)) {
                return wave(cycles, timeline.progress(step + 1), lowest);
            }
            return Double.isNaN(first)
                    ? timeline.warmup(step + 1)
                    : first + (1 - first) * step / Math.max(1, timeline.warmupSteps - 1);
        }
    }

    /** Linear warm-up, then several cosines from 1 to 0 with hard restarts. */
    record CosineWithRestarts(Timeline timeline, double cycles) implements Schedule {
        @Override
        public double factor(long step) {
            if (timeline.isWarmingUp(step)) {
                return timeline.warmup(step);
            }
            double progress = timeline.progress(step);
            return progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (cycles * progress % 1))));
        }
    }

    /**
     * Linear warm-up, then {@code (1 - progress)^power} down to an end rate.
     *
     * @param endRate learning rate at the end, absolute
     */
    record Polynomial(Timeline timeline, double endRate, double power) implements Schedule {
        @Override
        public double factor(long step) {
            if (timeline.isWarmingUp(step)) {
                return timeline.warmup(step);
            }
            double start = timeline.learningRate;
            if (step > timeline.totalSteps) {
                return endRate / start;
            }
            double left = step == timeline.totalSteps ? 0 : 1 - timeline.progress(step);
            return ((start - endRate) * Math.pow(left, power) + endRate) / start;
        }
    }

    /** Linear warm-up, then {@code 1 / √step} with the step in units of the time scale. */
    record InverseSqrt(Timeline timeline, double timescale) implements Schedule {
        @Override
        public double factor(long step) {
            return timeline.isWarmingUp(step)
                    ? timeline.warmup(step)
                    : 1 / Math.sqrt((step + (timescale - timeline.warmupSteps)) / timescale);
        }
    }

    /** Warm-up, a plateau at 1, then a decay to the lowest factor (MiniCPM, arXiv 2404.06395). */
    record WarmupStableDecay(
            Timeline timeline,
            long stableSteps,
            long decaySteps,
            Curve warmup,
            Curve decay,
            double lowest,
            double cycles)
            implements Schedule {

        /** The curve of the factor from one end of a phase to the other. */
        public enum Curve {
            LINEAR,
            COSINE,
            ONE_MINUS_SQRT
        }

        @Override
        public double factor(long step) {
            if (timeline.isWarmingUp(step)) {
                double progress = timeline.warmup(step);
                double rise = switch (warmup) {
                    case LINEAR -> progress;
                    case COSINE -> 0.5 * (1 - Math.cos(Math.PI * progress));
                    case ONE_MINUS_SQRT -> 1 - Math.sqrt(1 - progress);
                };
                return Math.max(0, rise * (1 - lowest) + lowest);
            }
            long decayed = step - timeline.warmupSteps - stableSteps;
            if (decayed < 0) {
                return 1;
            }
            if (decayed >= decaySteps) {
                return lowest;
            }
            double progress = (double) decayed / decaySteps;
            return switch (decay) {
                case LINEAR -> Math.max(0, (1 - progress) * (1 - lowest) + lowest);
                case COSINE -> wave(cycles, progress, lowest);
                case ONE_MINUS_SQRT -> Math.max(0, (1 - Math.sqrt(progress)) * (1 - lowest) + lowest);
            };
        }
    }

    /**
     * A constant factor of 1 by step; {@link PlateauTracker} lowers the rate when the score of evaluations stops improving.
     *
     * @param learningRate the base rate, to which absolute rates are compared
     * @param greater true if greater scores are better; null for the direction of the metric
     * @param decay the factor by which the rate is multiplied
     * @param patience the number of evaluations without progress before the rate falls
     * @param threshold the least gain that counts as progress, relative to the best score or absolute
     * @param relative true for a relative threshold
     * @param cooldown the number of evaluations after a reduction that don't count as without progress
     * @param lowest the lowest rate, absolute
     * @param eps the least reduction, absolute; smaller ones are skipped
     */
    record ReduceOnPlateau(
            double learningRate,
            @Nullable Boolean greater,
            double decay,
            int patience,
            double threshold,
            boolean relative,
            int cooldown,
            double lowest,
            double eps)
            implements Schedule {
        @Override
        public double factor(long step) {
            return 1;
        }
    }

    private static double wave(double cycles, double progress, double lowest) {
        double factor = 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
        return Math.max(0, factor * (1 - lowest) + lowest);
    }
}
