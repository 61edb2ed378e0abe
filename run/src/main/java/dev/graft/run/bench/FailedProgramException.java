package dev.graft.run.bench;

import java.util.List;

/** Thrown when a program ends with an exit code other than 0. */
public final class FailedProgramException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    private final List<String> lines;

    /** @param lines the last lines of its standard error */
    public FailedProgramException(List<String> command, int code, List<String> lines) {
        super(String.join(" ", command) + " ended with " + code + ": " + String.join(" | ", lines));
        this.lines = List.copyOf(lines);
    }

    /** Returns the last lines that the program wrote to standard error. */
    public List<String> lines() {
        return lines;
    }
}
