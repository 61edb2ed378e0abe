package dev.graft.formats.quantized;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Safetensors;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.FloatRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AffineGroupsTest {
    @Test
    void codesScalesAndBiasesAreThoseOfMlx() {
        try (Safetensors file = Safetensors.open(Path.of("../parity/fixtures/quantized/mlx.safetensors"))) {
            AffineGroups groups = AffineGroups.quantize(file.tensor("values").floats(), 32);
            assertThat(ByteBuffer.wrap(groups.packed())).isEqualTo(file.bytes("weight"));
            assertThat(groups.scales()).containsExactly(file.tensor("scales").floats());
            assertThat(groups.biases()).containsExactly(file.tensor("biases").floats());
        }
    }

    @Property
    void noValueIsFartherFromItsCodeThanAStep(@ForAll @Size(8) List<@FloatRange(min = -10, max = 10) Float> drawn) {
        float[] values = new float[drawn.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = drawn.get(i);
        }
        AffineGroups groups = AffineGroups.quantize(values, 4);
        float[] found = groups.dequantize();
        for (int i = 0; i < values.length; i++) {
            assertThat(Math.abs(found[i] - values[i]))
                    .isLessThanOrEqualTo(Math.abs(groups.scales()[i / 4]) * 1.01f + 1e-5f);
        }
    }

    @Test
    void valuesThatAreNoWholeGroupsAreRefused() {
        assertThatThrownBy(() -> AffineGroups.quantize(new float[9], 4)).isInstanceOf(IllegalArgumentException.class);
    }
}
