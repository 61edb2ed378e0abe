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
 * Combinations of several updates of one layer into one, by PEFT's names and those of the papers. All of them use {@code ΔW = s B A}, not A and B
 * separately, which would add products of one adapter's B with another one's A. Those with {@code svd} in their name truncate the result to the
 * largest rank of the adapters; the others keep all ranks.
 */
public enum Combination {
    /** {@code Σ wᵢ ΔWᵢ}: task arithmetic (Ilharco et al., 2022), model soups. */
    LINEAR(Sparsification.NONE, false, false),
    /** {@link #LINEAR} under PEFT's other name, which concatenates the factors. */
    CAT(Sparsification.NONE, false, false),
    /** The best approximation of {@code Σ wᵢ ΔWᵢ} of a given rank. */
    SVD(Sparsification.NONE, false, true),
    /** Trims, elects a sign for each entry and averages the agreeing values (Yadav et al., 2023). */
    TIES(Sparsification.MAGNITUDE, true, false),
    TIES_SVD(Sparsification.MAGNITUDE, true, true),
    /** Drops at random and rescales (Yu et al., 2023), then sums. */
    DARE_LINEAR(Sparsification.RANDOM, false, false),
    DARE_LINEAR_SVD(Sparsification.RANDOM, false, true),
    /** Drops at random and rescales, then elects signs as TIES does. */
    DARE_TIES(Sparsification.RANDOM, true, false),
    DARE_TIES_SVD(Sparsification.RANDOM, true, true),
    /** Trims as TIES does, then sums. */
    MAGNITUDE_PRUNE(Sparsification.MAGNITUDE, false, false),
    MAGNITUDE_PRUNE_SVD(Sparsification.MAGNITUDE, false, true),
    /** Drops small entries more often than large ones (Deep et al., 2024), then elects signs. */
    DELLA(Sparsification.RANKED, true, false),
    DELLA_SVD(Sparsification.RANKED, true, true),
    /** {@link #DELLA} with a sum in place of elected signs. */
    DELLA_LINEAR(Sparsification.RANKED, false, false),
    DELLA_LINEAR_SVD(Sparsification.RANKED, false, true),
    /** Drops small entries and outliers, then sums (Davari and Belilovsky, 2023). */
    BREADCRUMBS(Sparsification.OUTLIERS, false, false),
    BREADCRUMBS_SVD(Sparsification.OUTLIERS, false, true),
    /** {@link #BREADCRUMBS} with elected signs. */
    BREADCRUMBS_TIES(Sparsification.OUTLIERS, true, false),
    BREADCRUMBS_TIES_SVD(Sparsification.OUTLIERS, true, true),
    /**
     * {@code Σ wᵢ θᵢ} of the parameters themselves, with weights that sum to one. For adapters without a ΔW, of one method and trained from the
     * same start (AdapterSoup, Chronopoulou et al., 2023).
     */
    AVERAGE(Sparsification.NONE, false, false);

    private final Sparsification sparsification;
    private final boolean elects;
    private final boolean truncates;

    Combination(Sparsification sparsification, boolean elects, boolean truncates) {
        this.sparsification = sparsification;
        this.elects = elects;
        this.truncates = truncates;
    }

    /**
     * Returns the combination of a name such as {@code dare_ties_svd}.
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

    /** Returns its name in PEFT, such as {@code dare_ties_svd}. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Returns whether the result is truncated to the largest rank of the adapters. */
    public boolean truncates() {
        return truncates;
    }

    /** Returns whether it averages agreeing values, so that the plain form has a weight of one for each adapter. */
    public boolean isMean() {
        return elects;
    }

    /** Returns whether it is only the weighted sum; others keep the share {@code density} of an update. */
    public boolean isSum() {
        return sparsification == Sparsification.NONE;
    }

    /** Returns whether it drops entries at random, by the {@code sampler}. */
    public boolean isRandom() {
        return sparsification == Sparsification.RANDOM || sparsification == Sparsification.RANKED;
    }

    /** Returns whether it uses {@code epsilon}. */
    public boolean isRanked() {
        return sparsification == Sparsification.RANKED;
    }

    /** Returns whether it uses {@code gamma}. */
    public boolean dropsOutliers() {
        return sparsification == Sparsification.OUTLIERS;
    }

    /** Refuses settings that keep nothing, or aren't probabilities. */
    void check(CombinationSettings settings) {
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
     * Combines several updates into one.
     *
     * @param updates in fp64, of one shape, with a row for each output
     * @param weights one for each update
     */
    Tensor combine(List<Tensor> updates, List<Double> weights, CombinationSettings settings, String module) {
        List<Tensor> kept = new ArrayList<>();
        for (int i = 0; i < updates.size(); i++) {
            kept.add(sparsification.apply(updates.get(i), settings, settings.sampler(), module, i));
        }
        return elects ? electSigns(kept, weights, settings.election()) : sum(kept, weights);
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
    private static Tensor electSigns(List<Tensor> parts, List<Double> weights, CombinationSettings.Election election) {
        List<Double> directions = weights.stream().map(Math::signum).toList();
        Tensor total = sum(parts, directions).sign();
        if (election == CombinationSettings.Election.FREQUENCY) {
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
