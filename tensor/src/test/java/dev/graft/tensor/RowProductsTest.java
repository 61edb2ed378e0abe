package dev.graft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class RowProductsTest {
    private static final Rng RNG = Rng.of(7, "row-products");

    private static Tensor random(ScalarType type, long... shape) {
        return Ops.to(RNG.normal(0, 1, shape), type);
    }

    private static RowProducts.Matrices matrices(ScalarType type, int rows, int blocks, int in, int out) {
        RowProducts.Matrices matrices = RowProducts.Matrices.zeros(type, rows, blocks, in, out);
        matrices.all().copy_(random(type, rows, blocks, in, out));
        return matrices;
    }

    /** Of fewer texts than there are rows too, of those from another row on, and where a row has several matrices. */
    @ParameterizedTest
    @CsvSource({
        "Float, 1, 1, 1e-5",
        "Float, 3, 4, 1e-5",
        "BFloat16, 1, 4, 0.02",
        "BFloat16, 3, 1, 0.02",
        "BFloat16, 3, 4, 0.02"
    })
    void eachTextIsMultipliedByItsOwnMatrices(ScalarType type, int tokens, int blocks, double tolerance) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(5);
                RowProducts.Matrices matrices = matrices(type, 5, blocks, 40, 6)) {
            for (int texts : new int[] {5, 2}) {
                int first = 5 - texts;
                Tensor x = random(type, texts, tokens, blocks * 40);
                Tensor y = products.times(x, matrices, first);
                assertThat(Tensors.shape(y)).containsExactly(texts, tokens, blocks * 6);
                for (int i = 0; i < texts * blocks; i++) {
                    int text = i / blocks;
                    int block = i % blocks;
                    Tensor one = Ops.to(x.select(0, text).narrow(1, block * 40, 40), ScalarType.Float)
                            .matmul(Ops.to(
                                    matrices.all().select(0, first + text).select(0, block), ScalarType.Float));
                    double scale = one.abs().max().item_double();
                    double error = Ops.to(y.select(0, text).narrow(1, block * 6, 6), ScalarType.Float)
                            .sub(one)
                            .abs()
                            .max()
                            .item_double();
                    assertThat(error / scale).isLessThan(tolerance);
                }
            }
        }
    }

    /** Of three layers, of which the second has two blocks; the same with one thread and two, whatever texts stand beside. */
    @ParameterizedTest
    @CsvSource({
        "Float, 1, 40, 16, 192, 1e-5",
        "Float, 1, 33, 1, 5, 1e-5",
        "BFloat16, 1, 576, 16, 192, 0.02",
        "BFloat16, 1, 40, 8, 640, 0.02",
        "BFloat16, 1, 33, 5, 77, 0.02",
        "BFloat16, 1, 700, 19, 50, 0.02",
        "Float, 1, 700, 19, 50, 1e-5",
        "BFloat16, 1, 1, 1, 1, 0.02",
        "BFloat16, 7, 576, 16, 192, 0.02",
        "BFloat16, 65, 33, 5, 77, 0.02"
    })
    void bothProductsOfAnUpdateAreOne(ScalarType type, int tokens, int in, int rank, int width, double tolerance) {
        int threads = Natives.threads();
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(5);
                RowProducts.Matrices a = matrices(type, 5, 1, in, 3 * rank);
                RowProducts.Matrices b = matrices(type, 5, 4, rank, width)) {
            Tensor places = Tensors.of(new long[] {0, rank, rank, 2L * rank}, 4);
            Tensor x = random(type, 5, tokens, 2L * in).narrow(2, in, in);
            Tensor all = products.times(x, a, b, places, 0);
            assumeThat(all).as("products for this processor").isNotNull();
            Tensor narrow = products.times(x, a, 0).view(5, tokens, 3, rank);
            Tensor each = narrow.index_select(2, Tensors.of(new long[] {0, 1, 1, 2}, 4));
            Tensor expected = Ops.to(each, ScalarType.Float)
                    .transpose(1, 2)
                    .matmul(Ops.to(b.all(), ScalarType.Float))
                    .transpose(1, 2)
                    .reshape(5, tokens, 4L * width);
            Tensor difference = Ops.to(all, ScalarType.Float).sub(expected).abs();
            assertThat(difference.max().item_double() / expected.abs().max().item_double())
                    .isLessThan(tolerance);
            for (int used : new int[] {1, 2, threads}) {
                Natives.threads(used);
                for (int first = 0; first < 5; first++) {
                    for (int texts = 1; texts <= 5 - first; texts++) {
                        Tensor some = products.times(x.narrow(0, first, texts), a, b, places, first);
                        assertThat(some).isNotNull();
                        assertThat(some.equal(all.narrow(0, first, texts))).isTrue();
                    }
                }
            }
        } finally {
            Natives.threads(threads);
        }
    }

    /** By loops and without, each text as it is with matrices of a row of its own. */
    @ParameterizedTest
    @CsvSource({"Float, 1", "Float, 5", "BFloat16, 1", "BFloat16, 33"})
    void textsMayHaveTheMatricesOfOneRowOrNone(ScalarType type, int tokens) {
        int[] rows = {2, 2, 2, RowProducts.NONE, 0, 1, 2, 0, RowProducts.NONE, RowProducts.NONE};
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(10);
                RowProducts own = new RowProducts(10);
                RowProducts.Matrices a = matrices(type, 10, 1, 48, 32);
                RowProducts.Matrices b = matrices(type, 10, 3, 16, 64)) {
            Tensor places = Tensors.of(new long[] {0, 16, 16}, 3);
            Tensor x = random(type, 10, tokens, 48);
            for (int text = 0; text < 10; text++) {
                products.assign(text, rows[text]);
            }
            Tensor narrow = products.times(x, a, 0);
            Tensor all = products.times(x, a, b, places, 0);
            for (int text = 0; text < 10; text++) {
                Tensor its = x.narrow(0, text, 1);
                int row = rows[text];
                Tensor alone = row == RowProducts.NONE ? Tensors.zeros(type, 1, tokens, 32) : own.times(its, a, row);
                assertThat(narrow.narrow(0, text, 1).equal(alone)).isTrue();
                assertThat(products.times(its, a, text).equal(alone)).isTrue();
                if (all != null) {
                    Tensor update = row == RowProducts.NONE
                            ? Tensors.zeros(type, 1, tokens, 192)
                            : own.times(its, a, b, places, row);
                    assertThat(all.narrow(0, text, 1).equal(update)).isTrue();
                    assertThat(products.times(its, a, b, places, text).equal(update))
                            .isTrue();
                }
            }
        }
    }

    @Test
    void whatDoesNotFitAnUpdateIsRefused() {
        try (Scope scope = new Scope();
                RowProducts products = new RowProducts(2);
                RowProducts.Matrices a = matrices(ScalarType.Float, 2, 1, 8, 4);
                RowProducts.Matrices b = matrices(ScalarType.Float, 2, 1, 4, 6)) {
            Tensor places = Tensors.of(new long[] {0}, 1);
            assertThat(products.times(random(ScalarType.Float, 2, 3, 8), a, b, places, 0))
                    .isNull();
            assertThat(products.times(random(ScalarType.Double, 2, 1, 8), a, b, places, 0))
                    .isNull();
            assumeThat(products.times(random(ScalarType.Float, 2, 1, 8), a, b, places, 0))
                    .isNotNull();
            for (Tensor wrong : List.of(random(ScalarType.Float, 2, 1, 7), random(ScalarType.Float, 3, 1, 8))) {
                assertThatThrownBy(() -> products.times(wrong, a, b, places, 0))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("fit matrices");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Float", "BFloat16"})
    void blocksAreGivenTheTransposesOfTheirMatricesAndTheirLastRowsStay(ScalarType type) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts.Matrices matrices = matrices(type, 3, 4, 16, 6)) {
            Tensor before = matrices.all().clone();
            Tensor given = RNG.normal(0, 1, 2 * 6, 5);
            matrices.put(1, 2, given);
            for (int block = 0; block < 2; block++) {
                Tensor place = matrices.all().select(0, 1).select(0, 2 + block);
                assertThat(place.narrow(0, 0, 5)
                                .equal(Ops.to(given.narrow(0, block * 6L, 6).t(), type)))
                        .isTrue();
                place.narrow(0, 0, 5)
                        .copy_(before.select(0, 1).select(0, 2 + block).narrow(0, 0, 5));
            }
            assertThat(matrices.all().equal(before)).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource({"Float, 1", "BFloat16, 1", "BFloat16, 3"})
    void whatATextGetsDependsOnNoOther(ScalarType type, int blocks) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope();
                RowProducts products = new RowProducts(8);
                RowProducts.Matrices matrices = matrices(type, 8, blocks, 33, 16)) {
            Tensor x = random(type, 8, 1, blocks * 33);
            Tensor all = products.times(x, matrices, 0);
            Tensor alone = Tensors.zeros(type, 8, 1, blocks * 33);
            alone.select(0, 6).copy_(x.select(0, 6));
            for (Tensor other : new Tensor[] {
                products.times(alone, matrices, 0),
                products.times(x.narrow(0, 0, 7), matrices, 0),
                products.times(x.narrow(0, 6, 1), matrices, 6).expand(8, 1, -1)
            }) {
                assertThat(other.select(0, 6).equal(all.select(0, 6))).isTrue();
            }
        }
    }
}
