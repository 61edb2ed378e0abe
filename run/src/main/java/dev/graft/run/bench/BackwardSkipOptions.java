package dev.graft.run.bench;

import dev.graft.formats.InputException;
import dev.graft.train.TrainSettings.Economy;
import org.jspecify.annotations.Nullable;

/**
 * Settings that skip parts of the backward pass in timed steps, as in {@code graft train}.
 *
 * @param autoFreeze the percentile of AutoFreeze, or null
 * @param autoFreezeSteps the steps between two checks of AutoFreeze, or null
 * @param dropBackward the share of DropBP, or null
 */
public record BackwardSkipOptions(
        @Nullable Double autoFreeze,
        @Nullable Integer autoFreezeSteps,
        @Nullable Double dropBackward) {

    /** Returns whether the steps skip anything, so that there is something to compare with. */
    boolean isActive() {
        return autoFreeze != null || dropBackward != null;
    }

    /** @throws InputException naming the option that is out of range or can't show in so few steps */
    Economy economy(int warmup, int steps) {
        if (autoFreeze == null && autoFreezeSteps != null) {
            throw new InputException("--auto-freeze-steps is " + autoFreezeSteps
                    + ", but --auto-freeze is not given; give --auto-freeze 50, or leave it out");
        }
        int whole = Math.max(1, (warmup + steps) / 10);
        if (dropBackward != null && warmup <= whole) {
            throw new InputException("--warmup is " + warmup + ", but --drop-backward leaves nothing out in the"
                    + " first tenth of the steps and then looks what to leave out once; give --warmup " + (whole + 1)
                    + " or more");
        }
        return Economy.NONE
                .withFreezePercentile(autoFreeze == null ? 0 : autoFreeze)
                .withFreezeSteps(autoFreezeSteps == null ? 0 : autoFreezeSteps)
                .withDropBackward(dropBackward == null ? 0 : dropBackward);
    }

    /** The options as {@code graft train} accepts them. */
    String text() {
        String freezing = autoFreeze == null ? "" : "auto_freeze=" + autoFreeze;
        String often = autoFreezeSteps == null ? "" : " auto_freeze_steps=" + autoFreezeSteps;
        String dropping = dropBackward == null ? "" : " drop_backward=" + dropBackward;
        return (freezing + often + dropping).strip();
    }
}
