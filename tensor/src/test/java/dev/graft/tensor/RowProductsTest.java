package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowProductsTest {
    private static final Rng RNG = Rng.of(7, "row-products");

    private static Tensor random(ScalarType type, long... shape) {
        return Ops.to(RNG.normal(0, 1, shape), type);
    }

    /** Of fewer texts than there are places too, and where the matrices are a part of wider ones. */
    @ParameterizedTest
    @CsvSource({"Float, 1, 1e-5", "Float, 3, 1e-5", "BFloat16, 1, 0.02", "BFloat16, 3, 0.02"})
    void eachTextIsMultipliedByItsOwnMatrix(ScalarType type, int tokens, double tolerance) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(5)) {
            Tensor matrices = random(type, 5, 40, 12).narrow(2, 4, 6);
            for (int texts : new int[] {5, 2}) {
                Tensor x = random(type, texts, tokens, 40);
                Tensor y = products.times(x, matrices);
                for (int i = 0; i < texts; i++) {
                    Tensor one = Ops.to(x.select(0, i), ScalarType.Float)
                            .matmul(Ops.to(matrices.select(0, i), ScalarType.Float));
                    double scale = one.abs().max().item_double();
                    double error = Ops.to(y.select(0, i), ScalarType.Float)
                            .sub(one)
                            .abs()
                            .max()
                            .item_double();
                    assertThat(error / scale).isLessThan(tolerance);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"Float", "BFloat16"})
    void whatATextGetsDependsOnNoOther(ScalarType type) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(8)) {
            Tensor matrices = random(type, 8, 33, 16);
            Tensor x = random(type, 8, 1, 33);
            Tensor all = products.times(x, matrices);
            Tensor alone = Tensors.zeros(type, 8, 1, 33);
            alone.select(0, 6).copy_(x.select(0, 6));
            assertThat(products.times(alone, matrices).select(0, 6).equal(all.select(0, 6)))
                    .isTrue();
            assertThat(products.times(x.narrow(0, 0, 7), matrices).select(0, 6).equal(all.select(0, 6)))
                    .isTrue();
        }
    }
}
