package dev.graft.train.schedules;

import dev.graft.formats.InputException;
import dev.graft.train.schedules.Schedule.Timeline;
import dev.graft.train.schedules.Schedule.WarmupStableDecay.Curve;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** Creates schedules by the names and options of transformers. */
public final class ScheduleFactory {
    private static final List<String> NAMES = List.of(
            "constant",
            "constant_with_warmup",
            "cosine",
            "cosine_warmup_with_min_lr",
            "cosine_with_min_lr",
            "cosine_with_restarts",
            "inverse_sqrt",
            "linear",
            "polynomial",
            "reduce_lr_on_plateau",
            "warmup_stable_decay");

    private final String schedule;
    private final Timeline timeline;
    private final Map<String, ?> options;
    private final Set<String> known = new HashSet<>();

    private ScheduleFactory(String schedule, Timeline timeline, Map<String, ?> options) {
        this.schedule = schedule;
        this.timeline = timeline;
        this.options = options;
    }

    /**
     * Creates the schedule of that name, as {@code lr_scheduler_type} and {@code lr_scheduler_kwargs} of transformers choose it.
     *
     * @throws InputException for an unknown name or option, a wrong type or a value out of range
     */
    public static Schedule create(String name, Timeline timeline, Map<String, ?> options) {
        ScheduleFactory reader = new ScheduleFactory(name, timeline, options);
        Schedule schedule = reader.create();
        for (String option : options.keySet()) {
            if (!reader.known.contains(option)) {
                throw new InputException("lr_scheduler " + name + " has no option " + option
                        + (reader.known.isEmpty() ? "; it has none" : "; it has " + new TreeSet<>(reader.known)));
            }
        }
        return schedule;
    }

    private Schedule create() {
        return switch (schedule) {
            case "constant" -> {
                refuseWarmup("use constant_with_warmup, or no warm-up");
                yield new Schedule.Constant(timeline);
            }
            case "reduce_lr_on_plateau" -> {
                refuseWarmup("leave it out");
                yield onPlateau();
            }
            case "constant_with_warmup" -> new Schedule.Constant(timeline);
            case "linear" -> new Schedule.Linear(timeline);
            case "cosine" -> new Schedule.Cosine(timeline, number("num_cycles", 0.5), 0);
            case "cosine_with_restarts" -> new Schedule.CosineWithRestarts(timeline, number("num_cycles", 1));
            case "cosine_with_min_lr" -> new Schedule.Cosine(timeline, number("num_cycles", 0.5), lowestRate());
            case "cosine_warmup_with_min_lr" ->
                new Schedule.CosineWarmupWithMinLr(
                        timeline, number("num_cycles", 0.5), lowestRate(), number("warmup_lr_rate", Double.NaN));
            case "polynomial" -> {
                double end = number("lr_end", 1e-7);
                if (end >= timeline.learningRate()) {
                    throw new InputException("lr_scheduler polynomial: lr_end " + end + " must be below learning_rate "
                            + timeline.learningRate());
                }
                yield new Schedule.Polynomial(timeline, end, number("power", 1));
            }
            case "inverse_sqrt" -> {
                double timescale = number("timescale", timeline.warmupSteps() > 0 ? timeline.warmupSteps() : 10_000);
                if (timescale == 0) {
                    throw new InputException("lr_scheduler inverse_sqrt: timescale is 0, expected more");
                }
                yield new Schedule.InverseSqrt(timeline, timescale);
            }
            case "warmup_stable_decay" -> warmupStableDecay();
            default ->
                throw new InputException(
                        "lr_scheduler " + schedule + " does not exist; choose one of " + String.join(", ", NAMES));
        };
    }

    private void refuseWarmup(String instead) {
        if (timeline.warmupSteps() > 0) {
            throw new InputException("lr_scheduler " + schedule + " has no warm-up, but warmup_steps is "
                    + timeline.warmupSteps() + ": " + instead);
        }
    }

    private Schedule onPlateau() {
        double decay = number("factor", 0.1);
        if (decay >= 1) {
            throw new InputException("lr_scheduler " + schedule + ": factor is " + decay + ", expected less than 1");
        }
        String mode = choice("mode", "", "min", "max");
        return new Schedule.ReduceOnPlateau(
                timeline.learningRate(),
                mode.isEmpty() ? null : Boolean.valueOf(mode.equals("max")),
                decay,
                count("patience", 10),
                number("threshold", 1e-4),
                choice("threshold_mode", "rel", "rel", "abs").equals("rel"),
                count("cooldown", 0),
                number("min_lr", 0),
                number("eps", 1e-8));
    }

    private int count(String option, int otherwise) {
        double value = number(option, otherwise);
        if (value != Math.rint(value) || value > Integer.MAX_VALUE) {
            throw new InputException(
                    "lr_scheduler " + schedule + ": " + option + " is " + value + ", expected a whole number");
        }
        return (int) value;
    }

    private String choice(String option, String otherwise, String... allowed) {
        Object value = option(option);
        String chosen = value == null ? otherwise : value.toString();
        if (value != null && !List.of(allowed).contains(chosen)) {
            throw new InputException("lr_scheduler " + schedule + ": " + option + " is " + chosen + ", expected "
                    + String.join(" or ", allowed));
        }
        return chosen;
    }

    private Schedule warmupStableDecay() {
        double decay = number("num_decay_steps", Double.NaN);
        if (Double.isNaN(decay)) {
            throw new InputException("lr_scheduler warmup_stable_decay needs the option num_decay_steps");
        }
        double stable = number("num_stable_steps", timeline.totalSteps() - timeline.warmupSteps() - decay);
        if (stable != Math.rint(stable) || decay != Math.rint(decay) || stable < 0) {
            throw new InputException("lr_scheduler warmup_stable_decay: " + timeline.warmupSteps() + " warm-up, "
                    + stable + " stable and " + decay + " decay steps do not fit into " + timeline.totalSteps());
        }
        return new Schedule.WarmupStableDecay(
                timeline,
                (long) stable,
                (long) decay,
                curve("warmup_type", Curve.LINEAR),
                curve("decay_type", Curve.COSINE),
                number("min_lr_ratio", 0),
                number("num_cycles", 0.5));
    }

    private double lowestRate() {
        double absolute = number("min_lr", Double.NaN);
        double relative = number("min_lr_rate", Double.NaN);
        if (Double.isNaN(absolute) == Double.isNaN(relative)) {
            throw new InputException("lr_scheduler " + schedule + " needs one of the options min_lr and min_lr_rate");
        }
        return Double.isNaN(absolute) ? relative : absolute / timeline.learningRate();
    }

    private double number(String option, double otherwise) {
        Object value = option(option);
        if (value == null) {
            return otherwise;
        }
        if (!(value instanceof Number number) || !Double.isFinite(number.doubleValue()) || number.doubleValue() < 0) {
            throw new InputException(
                    "lr_scheduler " + schedule + ": " + option + " is " + value + ", expected a number of at least 0");
        }
        return number.doubleValue();
    }

    private Curve curve(String option, Curve otherwise) {
        Object value = option(option);
        if (value == null) {
            return otherwise;
        }
        return switch (value.toString()) {
            case "linear" -> Curve.LINEAR;
            case "cosine" -> Curve.COSINE;
            case "1-sqrt" -> Curve.ONE_MINUS_SQRT;
            default ->
                throw new InputException("lr_scheduler " + schedule + ": " + option + " is " + value
                        + ", expected linear, cosine or 1-sqrt");
        };
    }

    private @Nullable Object option(String option) {
        known.add(option);
        return options.get(option);
    }
}
