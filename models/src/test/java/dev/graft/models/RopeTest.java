package dev.graft.models;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class RopeTest {
    private static final Rope ROPE = new Rope(RopeScaling.frequencies(10_000, 8));

    /** libtorch's cosines of small angles differ in the last bit where a large one is beside them. */
    @Test
    void aRowsAnglesDoNotDependOnHowLongOtherTextsAre() {
        try (Scope scope = new Scope()) {
            long[] positions = new long[400];
            for (int i = 0; i < positions.length; i++) {
                positions[i] = i * 7L % positions.length;
            }
            Rope.Angles together = ROPE.at(Tensors.of(positions, positions.length, 1), ScalarType.Float, null);
            for (int row = 0; row < positions.length; row++) {
                Rope.Angles alone = ROPE.at(Tensors.of(new long[] {positions[row]}, 1, 1), ScalarType.Float, null);
                assertThat(Tensors.floats(together.cos().narrow(0, row, 1)))
                        .as("cosines of position %d", positions[row])
                        .isEqualTo(Tensors.floats(alone.cos()));
                assertThat(Tensors.floats(together.sin().narrow(0, row, 1)))
                        .as("sines of position %d", positions[row])
                        .isEqualTo(Tensors.floats(alone.sin()));
            }
        }
    }
}
