package dev.graft.cli.adapters;

import dev.graft.peft.store.Canary;
import picocli.CommandLine.Option;

/** The options {@code --canary} and {@code --share}, both or none. */
final class CanaryOptions {

    @Option(
            names = "--canary",
            required = true,
            paramLabel = "NAME[@VERSION]",
            description = "Version that a share of the requests gets.")
    @SuppressWarnings("NullAway.Init")
    private String target;

    @Option(names = "--share", required = true, paramLabel = "SHARE", description = "That share, above 0 and below 1.")
    private double share;

    Canary canary() {
        return new Canary(target, share);
    }
}
