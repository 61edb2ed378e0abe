package dev.graft.models.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
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
            Rope.Angles together = ROPE.at(Tensors.of(positions, positions.length, 1), ScalarType.Float, 0);
            for (int row = 0; row < positions.length; row++) {
                Rope.Angles alone = ROPE.at(Tensors.of(new long[] {positions[row]}, 1, 1), ScalarType.Float, 0);
                assertThat(Tensors.floats(together.cos().narrow(0, row, 1)))
                        .as("cosines of position %d", positions[row])
                        .isEqualTo(Tensors.floats(alone.cos()));
                assertThat(Tensors.floats(together.sin().narrow(0, row, 1)))
                        .as("sines of position %d", positions[row])
                        .isEqualTo(Tensors.floats(alone.sin()));
            }
        }
    }

    /** Turning neighbours is turning halves in another order, and the inverse turns back. */
    @Test
    void neighboursTurnAsTheTwoHalvesOfAHeadDo() {
        try (Scope scope = new Scope()) {
            Tensor x = Rng.of(1, "heads").normal(0, 1, 2, 3, 5, 12);
            Tensor positions = Tensors.of(new long[] {0, 1, 2, 7, 30}, 1, 5);
            Rope.Angles angles = RopeScaling.ofInterleaved(10_000, 8).at(positions, ScalarType.Float, 0);
            Tensor turned = angles.rotate(x);

            Tensor halves = x.narrow(3, 0, 8).unflatten(3, 4, 2).transpose(3, 4).flatten(3, 4);
            Tensor expected = ROPE.at(positions, ScalarType.Float, 0).rotate(halves);
            assertThat(Tensors.floats(turned.narrow(3, 0, 8)))
                    .isEqualTo(Tensors.floats(
                            expected.unflatten(3, 2, 4).transpose(3, 4).flatten(3, 4)));
            assertThat(Tensors.floats(turned.narrow(3, 8, 4))).isEqualTo(Tensors.floats(x.narrow(3, 8, 4)));
            assertThat(Tensors.item(angles.inverse().rotate(turned).sub(x).abs().max()))
                    .isLessThan(1e-5);
        }
    }
}
