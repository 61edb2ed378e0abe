package dev.graft.cli.model;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** {@code --dtype} and {@code --threads}. */
public final class ComputeOptions {

    /** The arithmetic of the frozen base. */
    public enum DType {
        auto,
        fp32,
        bf16
    }

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            description = {
                "Arithmetic of the base: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}). auto takes bf16",
                "where the processor has it."
            })
    private DType dtype;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads for tensor arithmetic (default: OMP_NUM_THREADS, else all cores).")
    private @Nullable Integer threads;

    /** With that arithmetic where none is asked for. */
    public ComputeOptions(DType dtype) {
        this.dtype = dtype;
    }

    public DType dtype() {
        return dtype;
    }

    /** How many threads to use, at least 1 by the option's check in {@link Loading}; null where none are asked for. */
    public @Nullable Integer threads() {
        return threads;
    }
}
