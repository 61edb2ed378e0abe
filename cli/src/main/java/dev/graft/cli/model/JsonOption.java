package dev.graft.cli.model;

import picocli.CommandLine.Option;

/** The option {@code --json}: prints the result as JSON on standard output. */
public final class JsonOption {

    @Option(names = "--json", description = "Print the result as JSON.")
    private boolean json;

    public boolean json() {
        return json;
    }
}
