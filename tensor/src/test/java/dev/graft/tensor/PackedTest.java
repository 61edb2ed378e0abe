package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** A packed matrix gives the products of the matrix itself. */
class PackedTest {
    @Test
    void productsAreTheSameToTheLastBit() {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(1, "packed");
            for (long[] size : new long[][] {{8, 576, 192}, {8, 192, 576}, {64, 96, 160}, {8, 33, 7}}) {
                Tensor x = Ops.to(rng.normal(0, 1, size[0], 1, size[1]), ScalarType.BFloat16);
                Tensor w = Ops.to(rng.normal(0, 1, size[2], size[1]), ScalarType.BFloat16);
                Tensor bias = Ops.to(rng.normal(0, 1, size[2]), ScalarType.BFloat16);
                Packed packed = Packed.of(w);

                assertThat(packed).isNotNull();
                assertThat(packed.linear(x, null).equal(Ops.linear(x, w, null))).isTrue();
                assertThat(packed.linear(x, bias).equal(Ops.linear(x, w, bias))).isTrue();
            }
        }
    }

    @Test
    void matricesOfOtherTypesStayAsTheyAre() {
        try (Scope scope = new Scope()) {
            assertThat(Packed.of(Tensors.ones(ScalarType.Float, 4, 4))).isNull();
        }
    }
}
