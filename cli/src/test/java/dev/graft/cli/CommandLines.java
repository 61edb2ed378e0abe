package dev.graft.cli;

import picocli.CommandLine;

/** Opens the command line to tests of other packages. */
public final class CommandLines {
    private CommandLines() {}

    /** Returns the command {@code graft} with all its subcommands, not run. */
    public static CommandLine graft() {
        return Graft.commandLine();
    }
}
