package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.matrices.Quantization;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Numerics;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A real model in fewer bits. */
@Tag("slow")
class QuantizedRealModelTest {
    @Test
    void smollm2InNf4TakesAtMost065BytesForEachParameterOfItsLinearLayers() {
        Base base = Base.load(
                "smollm2", Base.Options.DEFAULT.withNumerics(Numerics.BF16).withQuantization(Quantization.NF4));
        long bytes = base.quantized().values().stream()
                .mapToLong(QuantizedMatrix::bytes)
                .sum();
        long values = base.quantized().values().stream()
                .mapToLong(matrix -> matrix.rows() * matrix.columns())
                .sum();
        assertThat(values).isEqualTo(106_168_320);
        assertThat((double) bytes / values).isBetween(0.5, 0.65);
    }
}
