package dev.graft.cli.model;

import dev.graft.models.matrices.Quantization;
import dev.graft.run.config.NumericsChoice;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.tensor.Numerics;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options {@code --dtype}, {@code --quantization} and {@code --threads}. */
public final class ComputeOptions implements ComputeSettings {

    @Option(
            names = "--dtype",
            converter = NumericsConverter.class,
            paramLabel = "TYPE",
            description = {
                "Arithmetic of the base: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}). auto takes bf16",
                "where the processor has it."
            })
    private NumericsChoice dtype;

    @Option(
            names = "--quantization",
            converter = QuantizationConverter.class,
            paramLabel = "KIND",
            description = {
                "Keep the matrices of the base's linear layers in fewer bits: ${COMPLETION-CANDIDATES} (default: what",
                "config.json says, else none). keep takes the file's own, those of a GGUF file too."
            })
    private @Nullable Quantization quantization;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads for tensor arithmetic (default: OMP_NUM_THREADS, else all cores).")
    private @Nullable Integer threads;

    /** Creates the options with a default of {@code --dtype}. */
    public ComputeOptions(NumericsChoice dtype) {
        this.dtype = dtype;
    }

    @Override
    public Numerics numerics() {
        return dtype.numerics();
    }

    /** Returns the quantisation of the base; null if the option isn't given. */
    @Override
    public @Nullable Quantization quantization() {
        return quantization;
    }

    /**
     * Returns the number of threads, which {@link LoadedModel} checks to be at least 1; null if the option isn't given.
     */
    @Override
    public @Nullable Integer threads() {
        return threads;
    }

    private static final class NumericsConverter implements ITypeConverter<NumericsChoice> {
        @Override
        public NumericsChoice convert(String name) {
            return named(name, NumericsChoice.values());
        }
    }

    private static final class QuantizationConverter implements ITypeConverter<Quantization> {
        @Override
        public Quantization convert(String name) {
            return named(name, Quantization.values());
        }
    }

    @SafeVarargs
    private static <T> T named(String name, T... choices) {
        return Arrays.stream(choices)
                .filter(choice -> choice.toString().equalsIgnoreCase(name))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException(
                        "expected one of " + Arrays.toString(choices) + " (case-insensitive) but was '" + name + "'"));
    }
}
