package dev.graft.models.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.sites.Embedding;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** Against where the buckets of transformers' T5 begin. */
class RelativePositionBiasTest {
    private static List<Integer> beginnings(boolean bothWays, int buckets, int farthest) {
        Embedding table = new Embedding("distances", Tensors.zeros(ScalarType.Float, buckets, 2), false);
        RelativePositionBias bias = new RelativePositionBias(table, bothWays, farthest);
        List<Integer> beginnings = new ArrayList<>();
        for (int distance = 1; distance < 2000; distance++) {
            if (bias.bucket(-distance) != bias.bucket(1 - distance)) {
                beginnings.add(distance);
            }
        }
        return beginnings;
    }

    @Test
    void anEncoderHasHalfOfTheBucketsForEachSide() {
        assertThat(beginnings(true, 32, 128)).containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91);
        assertThat(beginnings(true, 8, 20)).containsExactly(1, 2, 7);
        RelativePositionBias bias = new RelativePositionBias(
                new Embedding("distances", Tensors.zeros(ScalarType.Float, 32, 2), false), true, 128);
        for (int distance = 1; distance < 300; distance++) {
            assertThat(bias.bucket(distance)).isEqualTo(bias.bucket(-distance) + 16);
        }
    }

    @Test
    void aDecoderHasAllForKeysBeforeTheQuery() {
        assertThat(beginnings(false, 8, 20)).containsExactly(1, 2, 3, 4, 6, 9, 14);
        assertThat(beginnings(false, 32, 128))
                .containsExactly(
                        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52, 59,
                        67, 77, 87, 99, 113);
        RelativePositionBias bias = new RelativePositionBias(
                new Embedding("distances", Tensors.zeros(ScalarType.Float, 32, 2), false), false, 128);
        assertThat(bias.bucket(5)).isZero();
    }
}
