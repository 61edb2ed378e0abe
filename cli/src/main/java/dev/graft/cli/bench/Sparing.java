package dev.graft.cli.bench;

import dev.graft.formats.InputException;
import dev.graft.train.TrainSettings.Economy;
import org.jspecify.annotations.Nullable;

/**
 * What the timed steps leave out of the backward pass, by the settings of {@code graft train} of the same names.
 *
 * @param autoFreeze percentile of AutoFreeze, or null
 * @param autoFreezeSteps between two looks of it, or null
 * @param dropBackward share of DropBP, or null
 */
record Sparing(
        @Nullable Double autoFreeze,
        @Nullable Integer autoFreezeSteps,
        @Nullable Double dropBackward) {

    /** Whether anything is left out, so that there is something to compare with. */
    boolean spares() {
        return autoFreeze != null || dropBackward != null;
    }

    /** @throws InputException naming the option that is out of range or can't show in so few steps */
    Economy economy(BenchTrainRun.Size size) {
        if (autoFreeze == null && autoFreezeSteps != null) {
            throw new InputException("--auto-freeze-steps is " + autoFreezeSteps
                    + ", but --auto-freeze is not given; give --auto-freeze 50, or leave it out");
        }
        int whole = Math.max(1, (size.warmup() + size.steps()) / 10);
        if (dropBackward != null && size.warmup() <= whole) {
            throw new InputException("--warmup is " + size.warmup() + ", but --drop-backward leaves nothing out in the"
                    + " first tenth of the steps and then looks what to leave out once; give --warmup " + (whole + 1)
                    + " or more");
        }
        return new Economy(
                false,
                autoFreeze == null ? 0 : autoFreeze,
                autoFreezeSteps == null ? 0 : autoFreezeSteps,
                dropBackward == null ? 0 : dropBackward);
    }

    /** As {@code graft train} takes it. */
    String text() {
        String freezing = autoFreeze == null ? "" : "auto_freeze=" + autoFreeze;
        String often = autoFreezeSteps == null ? "" : " auto_freeze_steps=" + autoFreezeSteps;
        String dropping = dropBackward == null ? "" : " drop_backward=" + dropBackward;
        return (freezing + often + dropping).strip();
    }
}
