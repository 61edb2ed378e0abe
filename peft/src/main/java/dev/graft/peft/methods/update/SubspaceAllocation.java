package dev.graft.peft.methods.update;

import dev.graft.formats.InputException;

/**
 * The choice of the clusters that continue to learn in AdaMSS. From {@code first} to {@code last}, every {@code interval} steps, those with the
 * most importance remain, {@code target + (all - target) · (1 - progress)^exponent} of them.
 *
 * @param on whether clusters are dropped at all
 * @param first the first step that measures importance
 * @param last the last step that may drop clusters
 * @param importanceDecay the decay of the mean importance
 * @param uncertaintyDecay the decay of the mean of its deviations
 */
public record SubspaceAllocation(
        boolean on,
        int target,
        int first,
        int last,
        int interval,
        double importanceDecay,
        double uncertaintyDecay,
        double exponent) {
    /** All clusters learn. */
    public static final SubspaceAllocation OFF = new SubspaceAllocation(false, 50, 50, 1000, 100, 0.85, 0.85, 3);

    public SubspaceAllocation {
        if (on && (target < 1 || interval < 1)) {
            throw new InputException("asa_target_subspaces is " + target + " and mask_interval " + interval
                    + ", expected each at least 1");
        }
        if (on && first >= last) {
            throw new InputException("init_warmup is " + first + ", expected less than final_warmup, which is " + last);
        }
        if (on && !(exponent > 0)) {
            throw new InputException("asa_schedule_exponent is " + exponent + ", expected more than 0");
        }
    }

    /** Returns the number of clusters, of {@code all}, that learn after a step between the first and the last. */
    long left(long step, long all) {
        double rest = 1.0 - (step - first) / (double) (last - first);
        return (long) (target + (all - target) * Math.pow(rest, exponent));
    }
}
