package dev.graft.tensor.ops;

import static dev.graft.tensor.ops.FusedOpsTest.close;
import static dev.graft.tensor.ops.FusedOpsTest.wide;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Attention's loops beside libtorch's operations in double precision, on the values as they are stored. */
class FusedAttentionTest {
    private final Rng rng = Rng.of(7, "fused");

    private Tensor random(ScalarType type, long... shape) {
        return Ops.to(rng.normal(0, 2, shape), type);
    }

    @ParameterizedTest
    @MethodSource("dev.graft.tensor.ops.FusedOpsTest#sizes")
    void softmaxOfMaskedScores(ScalarType type, long n) {
        try (Scope scope = new Scope()) {
            long queries = 3;
            Tensor scores = random(type, 2, 2, 2 * queries, n);
            long masked = Math.min(n, 20);
            for (Tensor mask : new Tensor[] {
                null,
                random(type, 2, 1, queries, masked),
                random(type, 1, 1, 1, masked),
                random(type, 1, 1, queries, masked + 5).narrow(3, 2, masked)
            }) {
                Tensor wide = wide(scores).unflatten(2, 2, queries).clone();
                if (mask != null) {
                    Tensor added = Ops.to(
                            scores.unflatten(2, 2, queries)
                                    .narrow(4, n - masked, masked)
                                    .add(mask.unsqueeze(1)),
                            type);
                    wide.narrow(4, n - masked, masked).copy_(added);
                }
                Tensor expected = wide.softmax(-1).flatten(2, 3);
                Tensor made = scores.clone();
                Tensor weights = FusedAttention.softmax(made, mask, queries);
                assumeThat(weights).isNotNull();
                assertThat(weights).isSameAs(made);
                close(weights, expected, "weights");
                Tensor dp = random(type, 2, 2, 2 * queries, n);
                Tensor p = wide(weights);
                Tensor back = p.mul(wide(dp).sub(Ops.sum(p.mul(wide(dp)), -1, true)));
                close(FusedAttention.softmaxBackward(dp, weights), back, "gradient");
            }
        }
    }

    /** Where a family's heads see different things. */
    @Test
    void leavesMasksOfHeadsToLibtorch() {
        try (Scope scope = new Scope()) {
            Tensor scores = random(ScalarType.Float, 2, 3, 4, 8);
            assertThat(FusedAttention.softmax(scores, random(ScalarType.Float, 2, 3, 4, 8), 4))
                    .isNull();
        }
    }

    @Test
    void hiddenScoresWeighNothing() {
        try (Scope scope = new Scope()) {
            Tensor scores = Tensors.of(new float[] {1, 2, -3.4e38f, Float.NEGATIVE_INFINITY}, 1, 1, 1, 4);
            Tensor weights = FusedAttention.softmax(scores, null, 1);
            assumeThat(weights).isNotNull();
            assertThat(Tensors.floats(weights.narrow(3, 2, 2))).containsExactly(0, 0);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {8, 30, 64})
    void turnsHeads(long turned) {
        try (Scope scope = new Scope()) {
            Tensor angles = rng.normal(0, 3, 2, 1, 5, turned / 2);
            Tensor cos = Ops.cat(3, angles.cos(), angles.cos());
            Tensor sin = Ops.cat(3, angles.sin().neg(), angles.sin());
            for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
                Tensor x = random(type, 2, 5, 3, 64).transpose(1, 2);
                Tensor wide = wide(x).narrow(3, 0, turned);
                Tensor others = wide.roll(new long[] {turned / 2}, 3);
                for (boolean back : new boolean[] {false, true}) {
                    Tensor y = FusedAttention.rotate(x, cos, sin, back);
                    assumeThat(y).isNotNull();
                    Tensor first = wide.mul(wide(cos)).add(Ops.scale(others.mul(wide(sin)), back ? -1 : 1));
                    close(y, Ops.cat(3, first, wide(x).narrow(3, turned, 64 - turned)), "turned");
                }
            }
        }
    }

    /** Heads that fill vectors and that don't, of up to as many queries as share a key. */
    @ParameterizedTest
    @EnumSource(
            value = ScalarType.class,
            names = {"Float", "BFloat16"})
    void attentionOfOneMoreTokenIsTheFormula(ScalarType type) {
        long[] places = {0, 15, 64, 200};
        try (Scope scope = new Scope()) {
            for (long d : new long[] {8, 24, 64, 80, 128, 256}) {
                for (long group : new long[] {1, 2, 3, 4, 6, 16}) {
                    Tensor keys = random(type, 4, 2, 201, d);
                    Tensor values = random(type, 4, 2, 201, d);
                    Tensor q = random(type, 4, 2 * group, 1, d);
                    Tensor key = random(type, 4, 2, 1, d);
                    Tensor value = random(type, 4, 2, 1, d);
                    Tensor answer = FusedAttention.attendNext(
                            q, key, value, keys, values, Tensors.of(places, 4), 1 / Math.sqrt(d));
                    assumeThat(answer).isNotNull();
                    for (int row = 0; row < 4; row++) {
                        assertThat(keys.select(0, row).narrow(1, places[row], 1).equal(key.select(0, row)))
                                .isTrue();
                        Tensor seen = wide(keys.select(0, row).narrow(1, 0, places[row] + 1));
                        Tensor its = wide(values.select(0, row).narrow(1, 0, places[row] + 1));
                        Tensor scores = Ops.scale(wide(q.select(0, row)).view(2, group, d), 1 / Math.sqrt(d))
                                .matmul(seen.transpose(1, 2));
                        close(
                                answer.select(0, row),
                                scores.softmax(2).matmul(its).view(1, 2 * group * d),
                                "%d values, %d queries, row %d".formatted(d, group, row));
                    }
                }
            }
        }
    }
}
