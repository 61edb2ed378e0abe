package dev.graft.cli.terminal;

import dev.graft.run.progress.UnitFormat;
import dev.graft.train.TrainingEvent.Stepped;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The progress of a run.
 *
 * @param step optimiser steps done
 * @param steps all optimiser steps of the run
 * @param epoch the number of epochs done, as a fraction
 * @param loss the mean loss of the last steps
 * @param tokensPerSecond tokens per second, padding excluded; 0 for images
 * @param memoryBytes the resident memory of the process
 * @param remaining the estimated remaining time; null while unknown
 */
public record RunStatus(
        long step,
        long steps,
        double epoch,
        double loss,
        double tokensPerSecond,
        long memoryBytes,
        @Nullable Duration remaining) {

    /** Creates the status after a step. */
    public static RunStatus of(Stepped stepped) {
        return new RunStatus(
                stepped.step(),
                stepped.totalSteps(),
                stepped.epoch(),
                stepped.loss(),
                stepped.tokensPerSecond(),
                stepped.memoryBytes(),
                stepped.remaining());
    }

    /**
     * Returns one line, the most important figures first: {@code step 20/300  loss 1.234  epoch 0.20  628 tokens/s  1.2 GiB  3m05s left}.
     */
    public String line() {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "step %d/%d  loss %.4g  epoch %.2f%s  %s",
                step,
                steps,
                loss,
                epoch,
                tokensPerSecond == 0 ? "" : "  " + UnitFormat.count(tokensPerSecond) + " tokens/s",
                UnitFormat.bytes(memoryBytes)));
        if (remaining != null) {
            line.append("  ").append(UnitFormat.duration(remaining)).append(" left");
        }
        return line.toString();
    }
}
