package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Int8GradientProductTest {
    private static final double STEP = 1.0 / 127;

    @BeforeEach
    void needsItsProducts() {
        Assumptions.assumeTrue(Int8GradientProduct.isAvailable(), "no products in int8 in this processor");
    }

    private static double norm(Tensor x) {
        return Tensors.item(Ops.to(x, ScalarType.Double).norm());
    }

    /** Two roundings to half a step of about a third of the largest value each, as of evenly spread errors. */
    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void isTheProductButForSteps(ScalarType type) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(1, "gradients");
            for (long[] size : new long[][] {{1, 64, 32}, {3, 33, 7}, {7, 192, 576}, {130, 576, 1536}}) {
                // Rows of very different sizes, as those of gradients are.
                Tensor g = Ops.to(
                        rng.normal(0, 1, size[0], size[1])
                                .mul(rng.normal(0, 4, size[0], 1).exp()),
                        type);
                Tensor w = Ops.to(rng.normal(0, 0.02, size[1], size[2]), type);
                Tensor exact = Ops.to(g, ScalarType.Double).matmul(Ops.to(w, ScalarType.Double));

                Tensor product = Int8GradientProduct.of(w).times(g, null);

                assertThat(product.scalar_type().value).isEqualTo(type.value);
                for (long row = 0; row < size[0]; row++) {
                    Tensor wanted = exact.select(0, row);
                    assertThat(norm(Ops.to(product.select(0, row), ScalarType.Double)
                                    .sub(wanted)))
                            .isLessThan(2.5 * STEP * norm(wanted));
                }
            }
        }
    }

    @Test
    void addsToASum() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(2, "gradients");
            Tensor g = rng.normal(0, 1, 5, 48);
            Tensor sum = rng.normal(0, 1, 5, 24);
            Int8GradientProduct product = Int8GradientProduct.of(rng.normal(0, 1, 48, 24));
            Tensor expected = sum.add(product.times(g, null));

            Tensor result = product.times(g, sum);

            assertThat(result.equal(expected)).isTrue();
            assertThat(sum.equal(expected)).isTrue();

            Tensor wide = Tensors.zeros(ScalarType.Float, 5, 30);
            Tensor part = product.times(g, wide.narrow(1, 3, 24));
            assertThat(part.equal(product.times(g, null))).isTrue();
        }
    }

    /** Once for all of a sum: its own value is rounded with the product's. */
    @Test
    void roundsASumOnce() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(7, "gradients");
            Tensor g = rng.normal(0, 1, 40, 64);
            Tensor w = rng.normal(0, 0.01, 64, 96);
            Tensor sum = Ops.to(rng.normal(0, 4, 40, 96), ScalarType.BFloat16);
            Int8GradientProduct product = Int8GradientProduct.of(w);
            Tensor exact = product.times(Ops.to(Ops.to(g, ScalarType.BFloat16), ScalarType.Float), null)
                    .add(sum);

            Tensor result = product.times(Ops.to(g, ScalarType.BFloat16), sum);

            assertThat(result.equal(Ops.to(exact, ScalarType.BFloat16))).isTrue();
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(8, "gradients");
            Int8GradientProduct product = Int8GradientProduct.of(rng.normal(0, 1, 32, 16));
            assertThatThrownBy(() -> product.times(rng.normal(0, 1, 3, 31), null))
                    .hasMessageContaining("[3, 31]");
            assertThatThrownBy(() -> product.times(rng.normal(0, 1, 3, 32), rng.normal(0, 1, 3, 15)))
                    .hasMessageContaining("[3, 15]");
        }
    }

    @Test
    void whatARowGetsDependsOnNoOther() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(3, "gradients");
            Tensor g = Ops.to(rng.normal(0, 1, 300, 96), ScalarType.BFloat16);
            Int8GradientProduct product = Int8GradientProduct.of(Ops.to(rng.normal(0, 1, 96, 80), ScalarType.BFloat16));
            Tensor all = product.times(g, null);
            for (long rows : new long[] {1, 2, 17, 128, 299}) {
                Tensor some = product.times(g.narrow(0, 300 - rows, rows), null);
                assertThat(some.equal(all.narrow(0, 300 - rows, rows))).isTrue();
            }
        }
    }

    /** Rows without a gradient stay so, and what isn't finite shows. */
    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void keepsZeroAndWhatIsNotFinite(ScalarType type) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor g = Rng.of(4, "gradients").normal(0, 1, 4, 32);
            g.select(0, 0).zero_();
            g.select(0, 1).select(0, 5).fill_(new Scalar(Double.NaN));
            g.select(0, 2).select(0, 6).fill_(new Scalar(Double.NEGATIVE_INFINITY));
            Tensor w = Rng.of(5, "gradients").normal(0, 1, 32, 16);

            Tensor product = Int8GradientProduct.of(Ops.to(w, type)).times(Ops.to(g, type), null);

            assertThat(norm(product.select(0, 0))).isZero();
            for (long row : new long[] {1, 2}) {
                assertThat(Tensors.item(Ops.to(product.select(0, row).isfinite().sum(), ScalarType.Double)))
                        .isZero();
            }
            assertThat(norm(product.select(0, 3))).isPositive().isFinite();
        }
    }

    @Test
    void readsAMatrixThatIsInEightBits() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(6, "gradients");
            Tensor codes = Ops.to(
                    rng.normal(0, 40, 64, 48)
                            .clamp(new ScalarOptional(new Scalar(-127.0)), new ScalarOptional(new Scalar(127.0))),
                    ScalarType.Char);
            Tensor absmax = rng.normal(0, 1, 64).abs();
            Tensor w = Ops.to(codes, ScalarType.Float)
                    .mul(absmax.div(new Scalar(127.0)).unsqueeze(1));
            Tensor g = rng.normal(0, 1, 9, 64);
            Tensor exact = g.matmul(w);

            Tensor product = Int8GradientProduct.of(codes, absmax).times(g, null);

            assertThat(norm(product.sub(exact))).isLessThan(1.5 * STEP * norm(exact));
        }
    }
}
