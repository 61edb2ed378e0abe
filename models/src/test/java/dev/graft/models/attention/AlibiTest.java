package dev.graft.models.attention;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class AlibiTest {
    @Test
    void slopesAreThoseOfThePaper() {
        assertThat(Alibi.of(8, 8, true).slopes())
                .containsExactly(0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625);
        assertThat(Alibi.of(4, 16, false).slopes()).containsExactly(0x1p-4, 0x1p-8, 0x1p-12, 0x1p-16);
    }

    @Test
    void headsBeyondAPowerOfTwoHaveEveryOtherSlopeOfTwiceAsMany() {
        assertThat(Alibi.of(6, 8, true).slopes()).containsExactly(0x1p-2, 0x1p-4, 0x1p-6, 0x1p-8, 0x1p-1, 0x1p-3);
        assertThat(Alibi.of(3, 8, true).slopes()).containsExactly(0x1p-4, 0x1p-8, 0x1p-2);
    }

    /** What it adds to the scores of two queries behind two keys of which one is padding. */
    private static float[] added(boolean counted) {
        Tensor keys = Tensors.of(new long[][] {{1, 0, 1, 1}});
        try (Scope scope = new Scope()) {
            Tensor scores = Tensors.zeros(ScalarType.Float, 1, 1, 2, 2, 4);
            Alibi.of(2, 8, counted).bias(keys, 2).addTo(scores, 0, 0, 0);
            return Tensors.floats(scores.select(2, 0).contiguous());
        }
    }

    @Test
    void scoresFallWithTheDistanceInPositionsOrInTokens() {
        float slope = 0.0625f;
        assertThat(added(false)).containsExactly(-2 * slope, -slope, 0, slope, -3 * slope, -2 * slope, -slope, 0);
        assertThat(added(true)).containsExactly(-slope, -slope, 0, slope, -2 * slope, -2 * slope, -slope, 0);
    }

    @Test
    void headsThatShareKeysHaveSlopesOfTheirOwn() {
        Tensor keys = Tensors.of(new long[][] {{1, 1}});
        try (Scope scope = new Scope()) {
            Tensor scores = Tensors.zeros(ScalarType.Float, 1, 2, 2, 1, 2);
            Alibi.of(4, 4, false).bias(keys, 1).addTo(scores, 0, 0, 0);
            assertThat(Tensors.floats(scores)).containsExactly(-0.5f, 0, -0.25f, 0, -0.125f, 0, -0.0625f, 0);
        }
    }

    /** The last four biases of the first head, which a whole text and a step behind others have alike. */
    private static float[] rounded(Tensor keys) {
        Alibi alibi = Alibi.rounded(16, 0.5);
        long count = keys.size(1);
        try (Scope scope = new Scope()) {
            Tensor whole = Tensors.zeros(ScalarType.Float, 1, 16, 1, 1, count);
            alibi.bias(keys, 1).addTo(whole, 0, 0, 0);
            long seen = Tensors.item(keys.sum()) == count ? count : count - 1;
            Tensor step = Tensors.zeros(ScalarType.Float, 1, 16, 1, seen);
            alibi.bias(keys, 1).addTo(step, seen - 1);
            float[] last =
                    Tensors.floats(whole.select(1, 0).narrow(3, count - 4, 4).contiguous());
            assertThat(Tensors.floats(step.select(1, 0).narrow(2, seen - 4, 4).contiguous()))
                    .isEqualTo(last);
            return last;
        }
    }

    /** The first slope, the root of a half, is 0.70703125 in bf16, and three times that 2.125. */
    @Test
    void roundedBiasesAreBf16ProductsOfPlacesAndSlopes() {
        assertThat(rounded(Tensors.of(new long[][] {{0, 1, 1, 1, 1}})))
                .containsExactly(0, 0.353515625f, 0.70703125f, 1.0625f);
    }

    /** 299 and 301 are 300 in bf16, and 300 times 0.70703125 is 212. */
    @Test
    void roundedBiasesOfFarPlacesGoInSteps() {
        assertThat(rounded(Tensors.ones(ScalarType.Long, 1, 302))).containsExactly(105.5f, 106, 106, 106);
    }
}
