package dev.graft.cli.terminal;

import dev.graft.train.TrainingEvent.Stepped;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How far a run has come.
 *
 * @param step optimiser steps done
 * @param steps how many there will be
 * @param epoch passes over the data done, with the part of the running one
 * @param loss mean loss of the last steps
 * @param tokensPerSecond tokens, padding excluded; 0 for images, which have none
 * @param memoryBytes resident memory of the process
 * @param remaining expected time to the end, null while unknown
 */
public record RunStatus(
        long step,
        long steps,
        double epoch,
        double loss,
        double tokensPerSecond,
        long memoryBytes,
        @Nullable Duration remaining) {

    /** After a step. */
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

    /** One line, the most wanted figures first: {@code step 20/300  loss 1.234  epoch 0.20  628 tokens/s  1.2 GiB  3m05s left}. */
    public String line() {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "step %d/%d  loss %.4g  epoch %.2f%s  %s",
                step,
                steps,
                loss,
                epoch,
                tokensPerSecond == 0 ? "" : "  " + Figures.count(tokensPerSecond) + " tokens/s",
                Figures.bytes(memoryBytes)));
        if (remaining != null) {
            line.append("  ").append(Figures.duration(remaining)).append(" left");
        }
        return line.toString();
    }
}
