package dev.graft.cli.model;

import picocli.CommandLine.Option;

/** {@code --json}: what a program reads goes to standard output as JSON, what a person reads to standard error. */
public final class JsonOption {

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    public boolean json() {
        return json;
    }
}
