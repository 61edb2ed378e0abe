package dev.graft.eval.claims;

import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.metrics.Bootstrap.Interval;
import java.util.List;
import java.util.Locale;

/**
 * A difference of scores and its 95 % interval.
 *
 * @param low the lower bound; NaN without an interval
 * @param high the upper bound; NaN without an interval
 */
public record EffectSize(double value, double low, double high) {

    /** Returns how much one method scores above another on the same test rows, with rows and seeds resampled. */
    static EffectSize of(MethodResult result, MethodResult than) {
        Interval interval = result.differenceTo(than);
        double value = result.score() - than.score();
        return interval == null
                ? new EffectSize(value, Double.NaN, Double.NaN)
                : new EffectSize(value, Math.min(value, interval.low()), Math.max(value, interval.high()));
    }

    /** The difference of two effects on different rows; their errors are taken to be independent and normal, also where
     * the same trained models gave both. */
    EffectSize minus(EffectSize other) {
        double difference = value - other.value;
        return new EffectSize(
                difference,
                difference - Math.hypot(value - low, other.high - other.value),
                difference + Math.hypot(high - value, other.value - other.low));
    }

    /** The mean of effects on different rows. */
    static EffectSize mean(List<EffectSize> effects) {
        double sum = 0;
        double below = 0;
        double above = 0;
        for (EffectSize effect : effects) {
            sum += effect.value;
            below += Math.pow(effect.value - effect.low, 2);
            above += Math.pow(effect.high - effect.value, 2);
        }
        double mean = sum / effects.size();
        return new EffectSize(mean, mean - Math.sqrt(below) / effects.size(), mean + Math.sqrt(above) / effects.size());
    }

    /** Returns whether the difference is below zero. */
    ClaimVerdict below() {
        return high < 0 ? ClaimVerdict.HOLDS : low > 0 ? ClaimVerdict.CONTRADICTED : ClaimVerdict.UNDECIDED;
    }

    /** Returns whether the difference is above zero. */
    ClaimVerdict above() {
        return low > 0 ? ClaimVerdict.HOLDS : high < 0 ? ClaimVerdict.CONTRADICTED : ClaimVerdict.UNDECIDED;
    }

    /** Returns whether the difference is not worse than a margin: the whole interval is above minus the margin. */
    ClaimVerdict notWorseThan(double margin) {
        return low > -margin ? ClaimVerdict.HOLDS : high < -margin ? ClaimVerdict.CONTRADICTED : ClaimVerdict.UNDECIDED;
    }

    /** Returns the difference in percentage points: {@code -3.1 (-5.0 … -1.2)}. */
    public String text() {
        return String.format(Locale.ROOT, "%+.1f", 100 * value)
                + (Double.isNaN(low) ? "" : String.format(Locale.ROOT, " (%+.1f … %+.1f)", 100 * low, 100 * high));
    }
}
