package dev.graft.cli.model;

import dev.graft.models.matrices.Quantization;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** {@code --dtype}, {@code --quantization} and {@code --threads}. */
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

    /** In what the matrices of the base's linear layers are kept. */
    public enum Kind {
        none,
        keep,
        nf4,
        fp4,
        int8,
        int4
    }

    @Option(
            names = "--quantization",
            paramLabel = "KIND",
            description = {
                "Keep the matrices of the base's linear layers in fewer bits: ${COMPLETION-CANDIDATES} (default: what",
                "config.json says, else none). keep takes the file's own, those of a GGUF file too."
            })
    private @Nullable Kind quantization;

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

    /** In what matrices are kept; null where nothing is asked for. */
    public @Nullable Quantization quantization() {
        return quantization == null ? null : Quantization.of(quantization.name());
    }

    /** How many threads to use, at least 1 by the option's check in {@link Loading}; null where none are asked for. */
    public @Nullable Integer threads() {
        return threads;
    }
}
