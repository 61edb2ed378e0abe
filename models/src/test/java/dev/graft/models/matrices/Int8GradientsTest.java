package dev.graft.models.matrices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Int8GradientProduct;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Only what goes back through a matrix is rounded. */
class Int8GradientsTest {
    private static final ScalarType TYPE = ScalarType.BFloat16;

    private static double distance(Tensor a, Tensor b) {
        Tensor exact = Ops.to(b, ScalarType.Double);
        return Tensors.item(Ops.to(a, ScalarType.Double).sub(exact).norm()) / Tensors.item(exact.norm());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void ofAWholeMatrixAndOneOfEightBits(boolean quantised) {
        Assumptions.assumeTrue(Int8GradientProduct.isAvailable(), "no products in int8 in this processor");
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor values = Ops.to(Rng.of(1, "w").normal(0, 0.05, 256, 512), TYPE);
            Matrix matrix =
                    quantised ? MatrixQuantizer.quantize(Quantization.INT8, values, TYPE) : new DenseMatrix(values);
            Tensor x = Ops.to(Rng.of(1, "x").normal(0, 1, 20, 512), TYPE);
            Tensor gradient = Ops.to(Rng.of(1, "g").normal(0, 1, 20, 256), TYPE);
            Tensor answer = matrix.times(x, null);
            Tensor exact = matrix.backward(gradient, null);
            long bytes = matrix.bytes();

            matrix.useInt8Gradients();

            assertThat(matrix.usesInt8Gradients()).isTrue();
            Tensor rounded = matrix.backward(gradient, null);
            assertThat(distance(rounded, exact)).isBetween(1e-4, 0.02);
            assertThat(distance(matrix.backward(gradient, exact.clone()), exact.add(exact)))
                    .isBetween(1e-5, 0.01);
            assertThat(matrix.times(x, null).equal(answer)).isTrue();
            assertThat(matrix.bytes()).isEqualTo(bytes);
        }
    }

    @Test
    void notWhereItGainsNothing() {
        try (Scope scope = new Scope()) {
            Tensor small = Ops.to(Rng.of(1, "w").normal(0, 1, 192, 576), TYPE);
            Tensor large = Ops.to(Rng.of(1, "w").normal(0, 1, 256, 512), TYPE);
            for (Matrix matrix :
                    List.of(new DenseMatrix(small), MatrixQuantizer.quantize(Quantization.NF4, large, TYPE))) {
                matrix.useInt8Gradients();
                assertThat(matrix.usesInt8Gradients()).isFalse();
            }
        }
    }
}
