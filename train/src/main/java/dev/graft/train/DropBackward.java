package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Economy;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * DropBP (Woo et al., 2024). The forward pass is complete, but the backward pass skips the attention or feed-forward block of a layer with
 * a probability of its own. The gradient then flows past it along the residual stream, and the parameters in it don't learn from that step.
 * The remaining gradients aren't scaled up, as in the paper and its authors' code. The expected gradient of a path is its gradient times
 * the probability that none of its blocks is skipped.
 *
 * <p>Nothing is dropped in the first tenth of a run. Then the sensitivity of each block is measured on one batch, by how much the gradients
 * change without it. Probabilities then rise in tenths, least sensitive first, until the wanted share of the blocks' arithmetic is dropped.
 */
public final class DropBackward {
    private static final double STEP = 0.1;
    private static final double HIGHEST = 0.9;

    private final List<Block> blocks;
    private final double[] work;
    private final double share;
    private final long seed;
    private final long start;

    /** The probability of each block to be dropped; NaN before they are known. */
    private final Tensor rates;

    private Set<Block> dropped = Set.of();

    /** Measures how far gradients are from the full ones when blocks are skipped. */
    @FunctionalInterface
    public interface GradientDistance {
        /**
         * Returns the squared distance of the gradients from those of the first call; blocks are skipped as {@link #drops} currently says.
         */
        double squaredDistance();
    }

    /**
     * Creates it for a run.
     *
     * @param share the mean share of the blocks' arithmetic that is skipped
     * @throws InputException if the model's blocks aren't simply added to the residual stream
     */
    DropBackward(Base base, double share, long seed, long steps) {
        blocks = base.sites().stream()
                .filter(Block.class::isInstance)
                .map(Block.class::cast)
                .toList();
        if (blocks.isEmpty() || blocks.stream().anyMatch(block -> block.norm() != null)) {
            throw new InputException(
                    "drop_backward lets the gradient go past blocks that are added to the residual stream,"
                            + " but " + base.architecture().modelType()
                            + " normalises after the addition; leave it out, or take auto_freeze");
        }
        work = blocks.stream().mapToDouble(block -> work(base, block)).toArray();
        this.share = share;
        this.seed = seed;
        this.start = Math.max(1, steps / 10);
        try (Scope scope = new Scope()) {
            rates = scope.release(Tensors.zeros(ScalarType.Double, blocks.size()));
        }
        double[] unknown = new double[blocks.size()];
        Arrays.fill(unknown, Double.NaN);
        Tensors.fill(rates, unknown);
    }

    /** Creates it from the settings of a run; null if they skip nothing. */
    public static @Nullable DropBackward of(Base base, Economy economy, long seed, long steps) {
        return economy.dropBackward() == 0 ? null : new DropBackward(base, economy.dropBackward(), seed, steps);
    }

    /** Multiplications for a token in the linear layers of a block. */
    private static double work(Base base, Block block) {
        double work = 0;
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && linear.layer() == block.layer()) {
                boolean attention = Set.of(Role.QUERY, Role.KEY, Role.VALUE, Role.QUERY_KEY_VALUE, Role.OUTPUT)
                        .contains(linear.role());
                if (attention == (block.kind() == Block.Kind.ATTENTION)) {
                    work += (double) linear.in() * linear.out();
                }
            }
        }
        return work;
    }

    /** Returns the tensors for a checkpoint. */
    Tensor rates() {
        return rates;
    }

    /** Returns whether the backward pass of this step skips a block. */
    public boolean drops(Block block) {
        return dropped.contains(block);
    }

    /** Returns whether nothing is left out in this step. */
    boolean dropsNothing() {
        return dropped.isEmpty();
    }

    /**
     * Draws the blocks that a step skips.
     *
     * @param step the number of the step, from 1
     * @param distance measures the gradients of this step
     */
    public void draw(long step, GradientDistance distance) {
        dropped = Set.of();
        if (step <= start) {
            return;
        }
        double[] probabilities = Tensors.doubles(rates);
        if (Double.isNaN(probabilities[0])) {
            probabilities = allocate(sensitivities(distance));
            Tensors.fill(rates, probabilities);
        }
        Set<Block> out = new HashSet<>();
        SplittableRandom random = new SplittableRandom(seed ^ step * 0x9e3779b97f4a7c15L);
        for (int i = 0; i < blocks.size(); i++) {
            if (random.nextDouble() < probabilities[i]) {
                out.add(blocks.get(i));
            }
        }
        dropped = out;
    }

    private double[] sensitivities(GradientDistance distance) {
        double none = distance.squaredDistance();
        double[] sensitivities = new double[blocks.size()];
        for (int i = 0; i < sensitivities.length; i++) {
            dropped = Set.of(blocks.get(i));
            sensitivities[i] = distance.squaredDistance() - none;
        }
        dropped = Set.of();
        return sensitivities;
    }

    /** Greedily: the next tenth goes to the block whose sensitivity times its new probability is least. */
    private double[] allocate(double[] sensitivities) {
        double[] probabilities = new double[work.length];
        double left = Arrays.stream(work).sum();
        double target = (1 - share) * left;
        while (left > target + 1e-9) {
            int best = -1;
            for (int i = 0; i < work.length; i++) {
                boolean free = probabilities[i] + STEP <= HIGHEST + 1e-9;
                if (free
                        && (best < 0
                                || cost(sensitivities, probabilities, i) < cost(sensitivities, probabilities, best))) {
                    best = i;
                }
            }
            if (best < 0) {
                break;
            }
            probabilities[best] += STEP;
            left -= STEP * work[best];
        }
        return probabilities;
    }

    private static double cost(double[] sensitivities, double[] probabilities, int i) {
        return sensitivities[i] * (probabilities[i] + STEP);
    }
}
