package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A packed matrix gives the products of the matrix itself. */
class PackedWeightTest {
    @Test
    void productsAreTheSameToTheLastBit() {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(1, "packed");
            for (long[] size : new long[][] {{8, 576, 192}, {8, 192, 576}, {64, 96, 160}, {8, 33, 7}}) {
                Tensor x = Ops.to(rng.normal(0, 1, size[0], 1, size[1]), ScalarType.BFloat16);
                Tensor w = Ops.to(rng.normal(0, 1, size[2], size[1]), ScalarType.BFloat16);
                Tensor bias = Ops.to(rng.normal(0, 1, size[2]), ScalarType.BFloat16);
                PackedWeight packed = PackedWeight.of(w);

                assertThat(packed).isNotNull();
                assertThat(packed.linear(x, null).equal(Ops.linear(x, w, null))).isTrue();
                assertThat(packed.linear(x, bias).equal(Ops.linear(x, w, bias))).isTrue();
            }
        }
    }

    /** In fp32 too, and products are those of the matrix itself but for rounding. */
    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void whatARowIsGivenDependsNeitherOnTheOthersNorOnTheirNumber(ScalarType type) {
        Assumptions.assumeTrue(type == ScalarType.Float || !Cpu.hasAmx(), "with AMX texts alone do");
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(2, "packed");
            for (long[] size : new long[][] {{384, 1536}, {1536, 384}, {24, 37}, {37, 3}}) {
                Tensor x = Ops.to(rng.normal(0, 1, 300, size[0]), type);
                Tensor w = Ops.to(rng.normal(0, 0.1, size[1], size[0]), type);
                Tensor bias = Ops.to(rng.normal(0, 1, size[1]), type);
                PackedWeight packed = PackedWeight.of(w);
                Assumptions.assumeTrue(packed != null, "no such products in this processor");
                Tensor all = packed.linear(x, bias);

                assertThat(Tensors.item(
                                Ops.to(all.sub(Ops.linear(x, w, bias)).abs().max(), ScalarType.Double)))
                        .isLessThan(type == ScalarType.Float ? 1e-4 : 0.05);
                for (int rows : new int[] {1, 2, 7, 16, 33, 128, 256}) {
                    int first = 299 - rows;
                    assertThat(packed.linear(x.narrow(0, first, rows), bias).equal(all.narrow(0, first, rows)))
                            .as("%d rows", rows)
                            .isTrue();
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void whatATextIsGivenDependsNeitherOnTheOthersNorOnTheirNumber(ScalarType type) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(3, "packed");
            for (long[] size : new long[][] {{32, 1536, 384}, {45, 576, 960}, {4, 576, 3072}}) {
                Tensor x = Ops.to(rng.normal(0, 1, 8, size[0], size[1]), type);
                Tensor sum = Ops.to(rng.normal(0, 1, 8, size[0], size[2]), type);
                Tensor bias = Ops.to(rng.normal(0, 1, size[2]), type);
                PackedWeight packed = PackedWeight.of(Ops.to(rng.normal(0, 0.1, size[2], size[1]), type));
                Assumptions.assumeTrue(packed != null, "no such products in this processor");
                Tensor all = packed.linear(x, bias, sum);

                for (int texts : new int[] {1, 2, 7}) {
                    Tensor some = packed.linear(x.narrow(0, 1, texts), bias, sum.narrow(0, 1, texts));
                    assertThat(some.equal(all.narrow(0, 1, texts)))
                            .as("%d texts", texts)
                            .isTrue();
                }
            }
        }
    }

    /** Up to 16 rows take three blocks of 32 columns at once, others one; sums deeper than 1,024 rows are of several parts. */
    @Test
    void fewRowsAreGivenInTilesWhatTheyAreGivenAmongMany() {
        Assumptions.assumeTrue(Cpu.hasAmx() && FusedOps.processor() != null, "no tiles");
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(4, "packed");
            int many = 1100;
            for (long[] size : new long[][] {{576, 960}, {64, 36}, {1536, 100}, {32, 32}, {96, 224}}) {
                Tensor x = Ops.to(rng.normal(0, 1, many, size[0]), ScalarType.BFloat16);
                Tensor sum = Ops.to(rng.normal(0, 1, many, size[1]), ScalarType.BFloat16);
                Tensor bias = Ops.to(rng.normal(0, 1, size[1]), ScalarType.BFloat16);
                PackedWeight packed = Objects.requireNonNull(
                        PackedWeight.of(Ops.to(rng.normal(0, 0.1, size[1], size[0]), ScalarType.BFloat16)));
                Tensor all = packed.linear(x, bias, sum);
                for (int rows : new int[] {1, 2, 8, 15, 16, 17, 32, 33, 1030, 1040, 1041}) {
                    Tensor some = packed.linear(x.narrow(0, 3, rows), bias, sum.narrow(0, 3, rows));
                    assertThat(some.equal(all.narrow(0, 3, rows)))
                            .as("%d rows of %s", rows, Arrays.toString(size))
                            .isTrue();
                }
            }
        }
    }

    @Test
    void matricesOfOtherTypesStayAsTheyAre() {
        try (Scope scope = new Scope()) {
            assertThat(PackedWeight.of(Tensors.ones(ScalarType.Double, 4, 4))).isNull();
        }
    }
}
