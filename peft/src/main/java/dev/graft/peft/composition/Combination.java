package dev.graft.peft.composition;

import dev.graft.formats.InputException;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How several updates of one layer become one, by PEFT's names and those of the papers. All of them work on {@code ΔW = s B A} and not on
 * A and B apart, which would add the products of one adapter's B with another one's A. What a name with {@code svd} gives is cut to the
 * largest rank of the adapters; the others keep all of it.
 */
public enum Combination {
    /** {@code Σ wᵢ ΔWᵢ}: task arithmetic (Ilharco et al., 2022), model soups. */
    LINEAR(Sparsification.NONE, false, false),
    /** The same: PEFT's name for it, as it lays the factors side by side. */
    CAT(Sparsification.NONE, false, false),
    /** The best update of a rank for {@code Σ wᵢ ΔWᵢ}. */
    SVD(Sparsification.NONE, false, true),
    /** Trims, elects a sign for each entry and averages what agrees (Yadav et al., 2023). */
    TIES(Sparsification.MAGNITUDE, true, false),
    TIES_SVD(Sparsification.MAGNITUDE, true, true),
    /** Drops at random and rescales (Yu et al., 2023), then sums. */
    DARE_LINEAR(Sparsification.RANDOM, false, false),
    DARE_LINEAR_SVD(Sparsification.RANDOM, false, true),
    /** Drops at random and rescales, then elects signs as TIES does. */
    DARE_TIES(Sparsification.RANDOM, true, false),
    DARE_TIES_SVD(Sparsification.RANDOM, true, true),
    /** Sums what TIES would trim to. */
    MAGNITUDE_PRUNE(Sparsification.MAGNITUDE, false, false),
    MAGNITUDE_PRUNE_SVD(Sparsification.MAGNITUDE, false, true),
    /** Drops small entries more often than large ones (Deep et al., 2024), then elects signs. */
    DELLA(Sparsification.RANKED, true, false),
    DELLA_SVD(Sparsification.RANKED, true, true),
    /** The same, summed. */
    DELLA_LINEAR(Sparsification.RANKED, false, false),
    DELLA_LINEAR_SVD(Sparsification.RANKED, false, true),
    /** Sums what is neither small nor an outlier (Davari and Belilovsky, 2023). */
    BREADCRUMBS(Sparsification.OUTLIERS, false, false),
    BREADCRUMBS_SVD(Sparsification.OUTLIERS, false, true),
    /** The same, with elected signs. */
    BREADCRUMBS_TIES(Sparsification.OUTLIERS, true, false),
    BREADCRUMBS_TIES_SVD(Sparsification.OUTLIERS, true, true),
    /**
     * {@code Σ wᵢ θᵢ} of the parameters themselves, the weights summing to one: for adapters that have no ΔW, of one method and trained
     * from one start (AdapterSoup, Chronopoulou et al., 2023).
     */
    AVERAGE(Sparsification.NONE, false, false);

    /** How the sign of an entry is elected. */
    public enum Election {
        /** By the sum of the values. */
        TOTAL,
        /** By the number of values; equal numbers are decided by the sum. */
        FREQUENCY
    }

    /**
     * What the combinations can be told.
     *
     * @param density the share of the entries of an update that is kept, in (0, 1]
     * @param epsilon how far DELLA's probabilities go from the density on either side
     * @param gamma the share of the largest entries that breadcrumbs drop
     * @param election how signs are elected
     * @param coins what random pruning draws
     */
    public record Settings(double density, double epsilon, double gamma, Election election, Coins coins) {
        /** TIES' density. */
        public static final double DENSITY = 0.2;

        /** DELLA's ε. */
        public static final double EPSILON = 0.15;

        /** Breadcrumbs' γ. */
        public static final double GAMMA = 0.01;

        public static final Settings DEFAULT = new Settings(DENSITY, EPSILON, GAMMA, Election.TOTAL, Coins.of(0));

        public Settings {
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

        public Settings withDensity(double newDensity) {
            return new Settings(newDensity, epsilon, gamma, election, coins);
        }

        public Settings withElection(Election newElection) {
            return new Settings(density, epsilon, gamma, newElection, coins);
        }

        public Settings withCoins(Coins newCoins) {
            return new Settings(density, epsilon, gamma, election, newCoins);
        }
    }

    private final Sparsification sparsification;
    private final boolean elects;
    private final boolean truncates;

    Combination(Sparsification sparsification, boolean elects, boolean truncates) {
        this.sparsification = sparsification;
        this.elects = elects;
        this.truncates = truncates;
    }

    /**
     * The combination of a name such as {@code dare_ties_svd}.
     *
     * @throws InputException if there is none
     */
    public static Combination named(String name) {
        for (Combination combination : values()) {
            if (combination.title().equals(name)) {
                return combination;
            }
        }
        throw new InputException("the combination \"" + name + "\" is unknown; there are "
                + String.join(
                        ", ", Arrays.stream(values()).map(Combination::title).toList()));
    }

    /** Its name as PEFT writes it, such as {@code dare_ties_svd}. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether the result is cut to the largest rank of the adapters. */
    public boolean truncates() {
        return truncates;
    }

    /** Whether it is a mean of what agrees, so that a weight of one for each adapter is the plain form. */
    public boolean isMean() {
        return elects;
    }

    /** Whether it is the weighted sum and nothing else; another one keeps only the {@code density} of an update. */
    public boolean isSum() {
        return sparsification == Sparsification.NONE;
    }

    /** Whether it draws what it drops, by {@code coins}. */
    public boolean isRandom() {
        return sparsification == Sparsification.RANDOM || sparsification == Sparsification.RANKED;
    }

    /** Whether {@code epsilon} belongs to it. */
    public boolean isRanked() {
        return sparsification == Sparsification.RANKED;
    }

    /** Whether {@code gamma} belongs to it. */
    public boolean dropsOutliers() {
        return sparsification == Sparsification.OUTLIERS;
    }

    /** Refuses settings that leave nothing, or no probabilities. */
    void check(Settings settings) {
        if (isRanked()
                && !(settings.density() - settings.epsilon() > 0 && settings.density() + settings.epsilon() <= 1)) {
            throw new InputException(title() + ": density " + settings.density() + " ± epsilon " + settings.epsilon()
                    + " must be probabilities, more than 0 and at most 1");
        }
        if (dropsOutliers() && settings.density() + settings.gamma() > 1) {
            throw new InputException(title() + ": density " + settings.density() + " and gamma " + settings.gamma()
                    + " are more than 1 together");
        }
    }

    /**
     * One update of several.
     *
     * @param updates in fp64, of one shape, a row for each output
     * @param weights one for each update
     */
    Tensor of(List<Tensor> updates, List<Double> weights, Settings settings, String module) {
        List<Tensor> kept = new ArrayList<>();
        for (int i = 0; i < updates.size(); i++) {
            kept.add(sparsification.apply(updates.get(i), settings, settings.coins(), module, i));
        }
        return elects ? elected(kept, weights, settings.election()) : sum(kept, weights);
    }

    private static Tensor sum(List<Tensor> parts, List<Double> weights) {
        Tensor sum = Ops.scale(parts.get(0), weights.get(0));
        for (int i = 1; i < parts.size(); i++) {
            // Not fused, so that a weight and its negative cancel to the last bit.
            sum = sum.add(Ops.scale(parts.get(i), weights.get(i)));
        }
        return sum;
    }

    /**
     * The mean of the weighted values that point where most do. An adapter with a negative weight votes for the opposite of its update,
     * since that is what it adds.
     */
    private static Tensor elected(List<Tensor> parts, List<Double> weights, Election election) {
        List<Double> directions = weights.stream().map(Math::signum).toList();
        Tensor total = sum(parts, directions).sign();
        if (election == Election.FREQUENCY) {
            Tensor votes =
                    sum(parts.stream().map(Tensor::sign).toList(), directions).sign();
            total = votes.add(total.mul(Ops.plus(votes.abs().neg(), 1)));
        }
        Tensor sum = torch.zeros_like(total);
        Tensor count = torch.zeros_like(total);
        for (int i = 0; i < parts.size(); i++) {
            Tensor agrees = Ops.to(
                    Ops.scale(parts.get(i), directions.get(i)).mul(total).gt(new Scalar(0)), total.scalar_type());
            sum = sum.add(Ops.scale(parts.get(i), weights.get(i)).mul(agrees));
            count = count.add(agrees);
        }
        return sum.div(count.clamp_min(new Scalar(1.0)));
    }
}
