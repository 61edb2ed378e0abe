package dev.graft.train.schedules;

import dev.graft.formats.InputException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The factor on the base learning rate at each optimiser step, equal step by step to the schedules of Hugging Face transformers
 * ({@code optimization.py}). Steps count from 0 and are optimiser steps, never micro-batches; steps beyond the end are defined.
 *
 * <pre>{@code
 * Schedule schedule = Schedule.named("cosine", new Schedule.Span(10, 200, 1e-3), Map.of());
 * double learningRate = 1e-3 * schedule.factor(step);
 * }</pre>
 */
public sealed interface Schedule {

    /** The factor at a step, at least 0. */
    double factor(long step);

    /**
     * The schedule of that name, as {@code lr_scheduler_type} and {@code lr_scheduler_kwargs} of transformers choose it.
     *
     * @throws InputException for an unknown name or option, a wrong type or a value out of range
     */
    static Schedule named(String name, Span span, Map<String, ?> options) {
        return Schedules.create(name, span, options);
    }

    /** The number of warm-up steps that a ratio of all steps means: rounded up, as transformers does. */
    static int warmupSteps(double ratio, int totalSteps) {
        if (!(ratio >= 0 && ratio <= 1)) {
            throw new InputException("warmup_ratio is " + ratio + ", expected 0 to 1");
        }
        return (int) Math.ceil(totalSteps * ratio);
    }

    /**
     * What a schedule covers.
     *
     * @param learningRate the base rate, to which absolute options such as {@code lr_end} are compared
     */
    record Span(int warmupSteps, int totalSteps, double learningRate) {
        public Span {
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

        boolean warming(long step) {
            return step < warmupSteps;
        }

        double warmup(long step) {
            return (double) step / Math.max(1, warmupSteps);
        }

        double progress(long step) {
            return (double) (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
        }
    }

    /** 1, after a linear warm-up from 0 where there is one. */
    record Constant(Span span) implements Schedule {
        @Override
        public double factor(long step) {
            return span.warming(step) ? span.warmup(step) : 1;
        }
    }

    /** Linear warm-up, then linearly to 0. */
    record Linear(Span span) implements Schedule {
        @Override
        public double factor(long step) {
            return span.warming(step)
                    ? span.warmup(step)
                    : Math.max(0, (double) (span.totalSteps - step) / Math.max(1, span.totalSteps - span.warmupSteps));
        }
    }

    /**
     * Linear warm-up, then a cosine.
     *
     * @param cycles waves until the end; 0.5 goes once from 1 to the lowest factor
     */
    record Cosine(Span span, double cycles, double lowest) implements Schedule {
        @Override
        public double factor(long step) {
            return span.warming(step) ? span.warmup(step) : wave(cycles, span.progress(step), lowest);
        }
    }

    /**
     * A cosine to the lowest factor whose warm-up already trains at step 0 and ends one step earlier
     * ({@code cosine_warmup_with_min_lr}).
     *
     * @param first factor at step 0; NaN for 1 / warm-up steps
     */
    record EagerCosine(Span span, double cycles, double lowest, double first) implements Schedule {
        @Override
        public double factor(long step) {
            if (!span.warming(step)) {
                return wave(cycles, span.progress(step + 1), lowest);
            }
            return Double.isNaN(first)
                    ? span.warmup(step + 1)
                    : first + (1 - first) * step / Math.max(1, span.warmupSteps - 1);
        }
    }

    /** Linear warm-up, then several cosines from 1 to 0, each starting at once at 1. */
    record CosineWithRestarts(Span span, double cycles) implements Schedule {
        @Override
        public double factor(long step) {
            if (span.warming(step)) {
                return span.warmup(step);
            }
            double progress = span.progress(step);
            return progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (cycles * progress % 1))));
        }
    }

    /**
     * Linear warm-up, then {@code (1 - progress)^power} down to an end rate.
     *
     * @param endRate learning rate at the end, absolute
     */
    record Polynomial(Span span, double endRate, double power) implements Schedule {
        @Override
        public double factor(long step) {
            if (span.warming(step)) {
                return span.warmup(step);
            }
            double start = span.learningRate;
            if (step > span.totalSteps) {
                return endRate / start;
            }
            double left = step == span.totalSteps ? 0 : 1 - span.progress(step);
            return ((start - endRate) * Math.pow(left, power) + endRate) / start;
        }
    }

    /** Linear warm-up, then one over the square root of the step, in units of the time scale. */
    record InverseSqrt(Span span, double timescale) implements Schedule {
        @Override
        public double factor(long step) {
            return span.warming(step)
                    ? span.warmup(step)
                    : 1 / Math.sqrt((step + (timescale - span.warmupSteps)) / timescale);
        }
    }

    /** Warm-up, a plateau at 1, then a decay to the lowest factor (MiniCPM, arXiv 2404.06395). */
    record WarmupStableDecay(
            Span span, long stableSteps, long decaySteps, Curve warmup, Curve decay, double lowest, double cycles)
            implements Schedule {

        /** How the factor goes from one end of a phase to the other. */
        public enum Curve {
            LINEAR,
            COSINE,
            ONE_MINUS_SQRT
        }

        @Override
        public double factor(long step) {
            if (span.warming(step)) {
                double progress = span.warmup(step);
                double rise = switch (warmup) {
                    case LINEAR -> progress;
                    case COSINE -> 0.5 * (1 - Math.cos(Math.PI * progress));
                    case ONE_MINUS_SQRT -> 1 - Math.sqrt(1 - progress);
                };
                return Math.max(0, rise * (1 - lowest) + lowest);
            }
            long decayed = step - span.warmupSteps - stableSteps;
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
     * 1 as far as steps go: {@link Plateau} lowers the rate when the score of evaluations stops getting better.
     *
     * @param learningRate the base rate, to which absolute rates are compared
     * @param greater whether greater scores are better; null where the metric says it
     * @param decay what the rate is multiplied by
     * @param patience evaluations without progress that are borne
     * @param threshold what counts as progress, relative to the best score or absolute
     * @param cooldown evaluations after a fall of which none counts as stale
     * @param lowest the lowest rate, absolute
     * @param eps a fall by no more than this is left out, absolute
     */
    record OnPlateau(
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
