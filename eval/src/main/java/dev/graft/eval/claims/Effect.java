package dev.graft.eval.claims;

import dev.graft.eval.compare.Standing;
import dev.graft.eval.metrics.Bootstrap.Interval;
import java.util.List;
import java.util.Locale;

/**
 * A difference of scores and its 95 % interval.
 *
 * @param low NaN where there is no interval
 */
public record Effect(double value, double low, double high) {

    /** How much one method scores above another on the same test rows: rows and seeds drawn again. */
    static Effect of(Standing standing, Standing than) {
        Interval interval = standing.above(than);
        double value = standing.score() - than.score();
        return interval == null
                ? new Effect(value, Double.NaN, Double.NaN)
                : new Effect(value, Math.min(value, interval.low()), Math.max(value, interval.high()));
    }

    /** The difference of two effects on different rows; their errors are taken to be independent and normal, also where
     * the same trained models gave both. */
    Effect minus(Effect other) {
        double difference = value - other.value;
        return new Effect(
                difference,
                difference - Math.hypot(value - low, other.high - other.value),
                difference + Math.hypot(high - value, other.value - other.low));
    }

    /** The mean of effects on different rows. */
    static Effect mean(List<Effect> effects) {
        double sum = 0;
        double below = 0;
        double above = 0;
        for (Effect effect : effects) {
            sum += effect.value;
            below += Math.pow(effect.value - effect.low, 2);
            above += Math.pow(effect.high - effect.value, 2);
        }
        double mean = sum / effects.size();
        return new Effect(mean, mean - Math.sqrt(below) / effects.size(), mean + Math.sqrt(above) / effects.size());
    }

    /** Whether the difference is below zero. */
    Verdict below() {
        return high < 0 ? Verdict.HOLDS : low > 0 ? Verdict.CONTRADICTED : Verdict.UNDECIDED;
    }

    /** Whether the difference is above zero. */
    Verdict above() {
        return low > 0 ? Verdict.HOLDS : high < 0 ? Verdict.CONTRADICTED : Verdict.UNDECIDED;
    }

    /** Whether it is not worse by a margin: the whole interval is above minus the margin. */
    Verdict notWorseThan(double margin) {
        return low > -margin ? Verdict.HOLDS : high < -margin ? Verdict.CONTRADICTED : Verdict.UNDECIDED;
    }

    /** In points of a hundred: {@code -3.1 (-5.0 … -1.2)}. */
    public String shown() {
        return String.format(Locale.ROOT, "%+.1f", 100 * value)
                + (Double.isNaN(low) ? "" : String.format(Locale.ROOT, " (%+.1f … %+.1f)", 100 * low, 100 * high));
    }
}
