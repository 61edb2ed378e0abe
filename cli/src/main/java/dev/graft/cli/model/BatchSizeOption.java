package dev.graft.cli.model;

import dev.graft.formats.InputException;
import picocli.CommandLine.Option;

/** The option {@code --batch-size}. */
public final class BatchSizeOption {

    @Option(
            names = "--batch-size",
            paramLabel = "N",
            description = "Rows per forward pass (default: ${DEFAULT-VALUE}).")
    private int batchSize = 16;

    /** Returns the number of rows per forward pass, at least 1. */
    public int batchSize() {
        if (batchSize < 1) {
            throw new InputException("--batch-size is " + batchSize + ", expected at least 1");
        }
        return batchSize;
    }
}
