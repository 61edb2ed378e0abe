package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products with codes give what those with their values do. */
class WeightOnlyKernelTest {
    private final Rng rng = Rng.of(7, "weight-only");

    private Scope scope;

    @BeforeEach
    void open() {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
        scope = new Scope();
    }

    @AfterEach
    void close() {
        if (scope != null) {
            scope.close();
        }
    }

    /** A product, and the values of its matrix in fp64. */
    private record Case(LinearKernel kernel, Tensor values) {
        static Case int4(Rng rng, long out, long in, long group) {
            Tensor codes = Ops.to(rng.uniform(0, 16, out, in).floor(), ScalarType.Byte);
            Tensor scales = rng.normal(0, 0.01, out, in / group).abs_().add_(new Scalar(0.001));
            Tensor biases = scales.mul(new Scalar(-7.6));
            Tensor values = repeated(scales, group)
                    .mul(Ops.to(codes, ScalarType.Double))
                    .add(repeated(biases, group));
            return new Case(some(WeightOnlyKernel.int4(codes, scales, biases)), values);
        }

        static Case int8(Rng rng, long out, long in) {
            Tensor codes = Ops.to(rng.uniform(-127, 128, out, in).floor(), ScalarType.Char);
            Tensor scales = rng.normal(0, 0.001, out).abs_().add_(new Scalar(0.0001));
            Tensor values = Ops.to(codes, ScalarType.Double).mul(scales.unsqueeze(1));
            return new Case(some(WeightOnlyKernel.int8(codes, scales)), values);
        }

        private static LinearKernel some(@Nullable LinearKernel kernel) {
            assertThat(kernel).isNotNull();
            return kernel;
        }

        private static Tensor repeated(Tensor groups, long times) {
            return Ops.to(groups, ScalarType.Double).repeat_interleave(times, new LongOptional(1), new LongOptional());
        }
    }

    private Case of(String kind, long out, long in) {
        return kind.equals("int8") ? Case.int8(rng, out, in) : Case.int4(rng, out, in, Long.parseLong(kind));
    }

    private Tensor bf16(double deviation, long... shape) {
        return Ops.to(rng.normal(0, deviation, shape), ScalarType.BFloat16);
    }

    private static double error(Tensor y, Tensor exact) {
        return Tensors.item(Ops.to(y, ScalarType.Double).sub(exact).norm().div(exact.norm()));
    }

    /** A number of bf16 is off by 0.0017 on average, and so are scales: 0.003 of the length of all answers. */
    @ParameterizedTest
    @CsvSource({
        "32, 576, 576",
        "32, 1536, 576",
        "32, 576, 1536",
        "32, 16, 32",
        "32, 48, 96",
        "64, 80, 192",
        "128, 32, 256",
        "256, 208, 256",
        "int8, 576, 1536",
        "int8, 192, 576",
        "int8, 7, 32",
        "int8, 1, 64",
        "int8, 33, 96"
    })
    void productsAreThoseWithTheValuesButForRounding(String kind, long out, long in) {
        Case of = of(kind, out, in);
        for (long rows : new long[] {1, 3, 8, 64}) {
            Tensor x = bf16(1, rows, 1, in);
            Tensor exact = Ops.to(x, ScalarType.Double).matmul(of.values.t());
            assertThat(error(of.kernel.linear(x, null, null), exact))
                    .as("%d rows", rows)
                    .isLessThan(rows * out < 1000 ? 0.006 : 0.003);
            Tensor bias = bf16(0.1, out);
            Tensor sum = bf16(0.1, rows, 1, out);
            assertThat(error(of.kernel.linear(x, bias, null), exact.add(bias))).isLessThan(0.006);
            assertThat(error(of.kernel.linear(x, null, sum), exact.add(sum))).isLessThan(0.006);
            assertThat(error(of.kernel.linear(x, bias, sum), exact.add(bias).add(sum)))
                    .isLessThan(0.006);
        }
    }

    @ParameterizedTest
    @CsvSource({"32, 576, 576", "32, 48, 96", "128, 192, 256", "int8, 192, 576", "int8, 33, 96"})
    void whatARowIsGivenDependsNeitherOnTheOthersNorOnTheirNumber(String kind, long out, long in) {
        LinearKernel kernel = of(kind, out, in).kernel;
        Tensor x = bf16(1, 32, in);
        Tensor all = kernel.linear(x, null, null);
        for (int rows : new int[] {1, 2, 3, 4, 5, 7, 8, 15, 16, 31}) {
            for (int first = 0; first + rows <= 32; first += 5) {
                assertThat(kernel.linear(x.narrow(0, first, rows), null, null).equal(all.narrow(0, first, rows)))
                        .as("%d rows from %d on", rows, first)
                        .isTrue();
            }
        }
        Tensor zeros = Tensors.zeros(ScalarType.BFloat16, 32, out);
        assertThat(kernel.linear(x, null, zeros).equal(all)).isTrue();
    }

    @Test
    void manyRowsAreNotForIt() {
        LinearKernel eight = Case.int8(rng, 32, 32).kernel;
        assertThat(eight.supports(bf16(1, 8, 8, 32))).isTrue();
        assertThat(eight.supports(bf16(1, 8, 9, 32))).isFalse();
        assertThat(eight.supports(bf16(1, 0, 32))).isFalse();
        LinearKernel four = Case.int4(rng, 32, 32, 32).kernel;
        assertThat(four.supports(bf16(1, 128, 32))).isTrue();
        assertThat(four.supports(bf16(1, 129, 32))).isFalse();
    }

    @Test
    void shapesThatTheKernelLacksAreNotTaken() {
        Tensor codes = Tensors.ones(ScalarType.Byte, 32, 96);
        for (long groups : new long[] {1, 2, 6}) {
            Tensor scales = Tensors.ones(ScalarType.Float, 32, groups);
            assertThat(WeightOnlyKernel.int4(codes, scales, scales)).isNull();
        }
        Tensor scales = Tensors.ones(ScalarType.Float, 24, 3);
        assertThat(WeightOnlyKernel.int4(codes.narrow(0, 0, 24), scales, scales))
                .isNull();
        Tensor odd = Tensors.ones(ScalarType.Char, 33, 100);
        assertThat(WeightOnlyKernel.int8(odd, Tensors.ones(ScalarType.Float, 33)))
                .isNull();
    }
}
