package dev.graft.peft.methods.lora;

import dev.graft.formats.InputException;

/**
 * The number of ranks that AdaLoRA keeps at each step: all at first, then falling along a cubic to the target, then the
 * target, {@code b = b₁ + (b₀ - b₁) (1 - (t - tinit) / (T - tfinal - tinit))³}.
 *
 * @param initial b₀, over all modules
 * @param target b₁, over all modules
 * @param tinit steps at the start in which nothing is pruned
 * @param tfinal steps at the end in which the budget stays
 * @param deltaT steps between two prunings
 * @param total T
 */
public record RankBudget(long initial, long target, long tinit, long tfinal, long deltaT, long total) {
    public RankBudget {
        if (tinit >= total - tfinal) {
            throw new InputException("tinit is " + tinit + " and tfinal is " + tfinal + " of " + total
                    + " steps: no step is left in which the ranks fall; decrease them or train for longer");
        }
    }

    /** The budget after a step, counted from 0. */
    public long at(long step) {
        if (step <= tinit) {
            return initial;
        }
        if (step > end()) {
            return target;
        }
        double left = 1 - (double) (step - tinit) / (end() - tinit);
        return (long) ((initial - target) * (left * left * left) + target);
    }

    /** Returns whether the ranks are pruned to the budget after a step. */
    public boolean prunes(long step) {
        return step > tinit && (step > end() || step % deltaT == 0);
    }

    /** Returns the step after which the remaining ranks stay. */
    public long end() {
        return total - tfinal;
    }
}
