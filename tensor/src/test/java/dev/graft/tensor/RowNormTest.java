package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RowNormTest {
    private static final Rng RNG = Rng.of(7, "row-norm");
    private static final double EPS = 1e-5;

    /** By libtorch's operations, in double precision. */
    private static Tensor expected(Tensor x, Tensor weight) {
        Tensor wide = Ops.to(x, ScalarType.Double);
        Tensor mean = Ops.mean(wide.square(), -1, true);
        return wide.mul(Ops.plus(mean, EPS).rsqrt()).mul(weight);
    }

    private static double difference(Tensor a, Tensor b) {
        return Tensors.item(Ops.to(a, ScalarType.Double).sub(b).abs().max());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 8, 13, 64, 577})
    void normalisesEachRow(int n) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = Ops.scale(RNG.normal(0, 1, 5, 1, 3, n), 20);
            Tensor weight = RNG.normal(1, 1, n);
            assertThat(RowNorm.takes(x, weight)).isTrue();
            Tensor y = Ops.rmsNorm(x, weight, EPS);
            assertThat(Tensors.shape(y)).containsExactly(5, 1, 3, n);
            assertThat(difference(y, expected(x, weight))).isLessThan(1e-5);
        }
    }

    @Test
    void aRowIsNormalisedAsItIsAlone() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = RNG.normal(0, 1, 8, 1, 577);
            Tensor weight = RNG.normal(1, 1, 577);
            Tensor all = Ops.rmsNorm(x, weight, EPS);
            for (int row = 0; row < 8; row++) {
                Tensor alone = Ops.rmsNorm(x.narrow(0, row, 1), weight, EPS);
                assertThat(alone.equal(all.narrow(0, row, 1))).isTrue();
            }
        }
    }

    /** Of values that stand apart in memory too. */
    @Test
    void readsValuesInTheirOrder() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = RNG.normal(0, 1, 4, 1, 40).narrow(2, 3, 16);
            Tensor weight = RNG.normal(1, 1, 32).view(16, 2).select(1, 0);
            assertThat(difference(Ops.rmsNorm(x, weight, EPS), expected(x, weight)))
                    .isLessThan(1e-5);
        }
    }

    @Test
    void whatIsNotFiniteStaysSo() {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Tensor weight = Tensors.ones(ScalarType.Float, 3);
            float[] y = Tensors.floats(Ops.rmsNorm(
                    Tensors.of(new float[] {1, Float.NaN, 2, 1, Float.POSITIVE_INFINITY, 2, 0, 0, 0}, 3, 1, 3),
                    weight,
                    EPS));
            assertThat(y).containsExactly(Float.NaN, Float.NaN, Float.NaN, 0, Float.NaN, 0, 0, 0, 0);
        }
    }

    @Test
    void leavesToLibtorchWhatItMightRecordOrHasInOtherShapes() {
        try (Scope scope = new Scope()) {
            Tensor weight = Tensors.ones(ScalarType.Float, 16);
            Tensor token = RNG.normal(0, 1, 2, 1, 16);
            assertThat(RowNorm.takes(token, weight)).isTrue();
            assertThat(RowNorm.takes(RNG.normal(0, 1, 2, 3, 16), weight)).isFalse();
            assertThat(RowNorm.takes(RNG.normal(0, 1, 2, 16), weight)).isFalse();
            assertThat(RowNorm.takes(Ops.to(token, ScalarType.Double), weight)).isFalse();
            Tensor learns = torch.alias(token).detach().set_requires_grad(true);
            assertThat(RowNorm.takes(learns, weight)).isFalse();
            Tensor learnt = Tensors.ones(ScalarType.Float, 16).set_requires_grad(true);
            assertThat(Ops.rmsNorm(token, learnt, EPS).requires_grad()).isTrue();
        }
    }
}
