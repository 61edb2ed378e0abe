package dev.graft.peft.composition;

import dev.graft.formats.InputException;
import io.soabase.recordbuilder.core.RecordBuilder;

/**
 * The settings of combinations of updates.
 *
 * @param density the share of the entries of an update that is kept, in (0, 1]
 * @param epsilon the distance of DELLA's extreme probabilities from the density
 * @param gamma the share of the largest entries that breadcrumbs drop
 * @param election the election of signs
 * @param sampler the random masks of pruning
 */
@RecordBuilder
public record CombinationSettings(double density, double epsilon, double gamma, Election election, MaskSampler sampler)
        implements CombinationSettingsBuilder.With {
    /** The election of an entry's sign. */
    public enum Election {
        /** Election by the sum of the values. */
        TOTAL,
        /** Election by the number of values; the sum decides between equal numbers. */
        FREQUENCY
    }

    /** TIES' density. */
    public static final double DENSITY = 0.2;

    /** DELLA's ε. */
    public static final double EPSILON = 0.15;

    /** Breadcrumbs' γ. */
    public static final double GAMMA = 0.01;

    public static final CombinationSettings DEFAULT =
            new CombinationSettings(DENSITY, EPSILON, GAMMA, Election.TOTAL, MaskSampler.of(0));

    public CombinationSettings {
        if (!(density > 0 && density <= 1)) {
            throw new InputException("the density is " + density + ", expected more than 0 and at most 1");
        }
        if (!(epsilon >= 0 && epsilon < 1)) {
            throw new InputException("epsilon is " + epsilon + ", expected 0 or more and less than 1");
        }
        if (!(gamma >= 0 && gamma < 1)) {
            throw new InputException("gamma is " + gamma + ", expected 0 or more and less than 1");
        }
    }
}
