package dev.graft.run.config;

import dev.graft.models.matrices.Quantization;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A kind of quantisation, or {@code auto}.
 *
 * @param kind the kind; null for {@code auto}
 */
public record QuantizationChoice(@Nullable Quantization kind) {
    /** The run selects the first kind that fits the memory limit. */
    public static final QuantizationChoice AUTO = new QuantizationChoice(null);

    static final List<QuantizationChoice> ALL = Stream.concat(
                    Stream.of(Quantization.values()).map(QuantizationChoice::new), Stream.of(AUTO))
            .toList();

    /** Returns its name in options. */
    @Override
    public String toString() {
        return kind == null ? "auto" : kind.title();
    }
}
