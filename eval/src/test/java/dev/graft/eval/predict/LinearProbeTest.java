package dev.graft.eval.predict;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class LinearProbeTest {
    @Test
    void findsTheLineBetweenTwoKinds() {
        Tensor features = Tensors.of(new float[] {2, 0, 3, 1, -2, 0, -3, 1}, 4, 2);
        LinearProbe probe = LinearProbe.train(features, new int[] {1, 1, 0, 0}, 2, LinearProbe.LEARNING_RATE);

        float[][] logits = probe.logits(Tensors.of(new float[] {1, 5, -1, 5}, 2, 2));
        assertThat(logits[0][1]).isGreaterThan(logits[0][0]);
        assertThat(logits[1][0]).isGreaterThan(logits[1][1]);
    }

    @Test
    void choosesTheMoreFrequentKindWhereFeaturesSayNothing() {
        LinearProbe probe =
                LinearProbe.train(Tensors.of(new float[6], 3, 2), new int[] {2, 2, 0}, 3, LinearProbe.LEARNING_RATE);

        float[] logits = probe.logits(Tensors.of(new float[] {9, 9}, 1, 2))[0];
        assertThat(logits[2]).isGreaterThan(logits[0]);
        assertThat(logits[0]).isGreaterThan(logits[1]);
    }
}
