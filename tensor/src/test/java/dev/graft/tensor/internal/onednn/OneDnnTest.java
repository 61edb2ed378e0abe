package dev.graft.tensor.internal.onednn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Cpu;
import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.PackedWeight;
import dev.graft.tensor.ops.Products;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OneDnnTest {
    private static final Rng RNG = Rng.of(3, "onednn");

    @BeforeEach
    void needsBf16() {
        Assumptions.assumeTrue(Cpu.hasBf16(), "no bf16 products in this processor");
    }

    private static Tensor random(long... shape) {
        return Ops.to(RNG.normal(0, 1, shape), ScalarType.BFloat16);
    }

    /** In bf16, of numbers that fp32 adds up exactly. */
    private static Tensor whole(long... shape) {
        return Ops.to(Ops.scale(RNG.normal(0, 1, shape), 4).round(), ScalarType.BFloat16);
    }

    private static PackedWeight packed(Tensor w) {
        return Objects.requireNonNull(PackedWeight.of(w));
    }

    @Test
    void multipliesMatricesThatStandApartOrTurned() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor a = whole(6, 3, 32);
            Tensor store = whole(6, 80, 32);
            Tensor turned = store.narrow(1, 0, 64).transpose(1, 2);
            assertThat(Products.batched(a, turned).equal(a.bmm(turned))).isTrue();
            Tensor weights = whole(6, 3, 64);
            Tensor part = store.narrow(1, 16, 64);
            assertThat(Products.batched(weights, part).equal(weights.bmm(part))).isTrue();
            Tensor apart = whole(6, 3, 64).narrow(2, 0, 32);
            assertThat(Products.batched(apart, turned).equal(apart.bmm(turned))).isTrue();
        }
    }

    /** Few numbers are multiplied by libtorch, with the same result. */
    @Test
    void aTrainingStepMultipliesMatricesThatStandApartOrTurned() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (long rows : new long[] {1, 2, 137}) {
                Tensor x = whole(rows, 48);
                Tensor g = whole(rows, 80);
                Tensor w = whole(80, 48);
                Tensor bias = whole(80);
                assertThat(Products.product(x, w.t()).equal(rounded(x, w.t(), null, null)))
                        .isTrue();
                assertThat(Products.product(g.t(), x).equal(rounded(g.t(), x, null, null)))
                        .isTrue();
                assertThat(Products.product(x, w.t(), bias, null).equal(rounded(x, w.t(), bias, null)))
                        .isTrue();
                Tensor apart = whole(rows, 64).narrow(1, 3, 48);
                assertThat(Products.product(apart, w.t()).equal(rounded(apart, w.t(), null, null)))
                        .isTrue();
                Tensor again = whole(1, 48).expand(rows, 48);
                assertThat(Products.product(again, w.t()).equal(rounded(again, w.t(), null, null)))
                        .isTrue();
                for (Tensor sum : List.of(
                        whole(rows, 80),
                        whole(rows, 96).narrow(1, 8, 80),
                        whole(80, rows).t())) {
                    for (Tensor added : new Tensor[] {null, bias}) {
                        Tensor wanted = rounded(x, w.t(), added, sum);
                        assertThat(Products.product(x, w.t(), added, sum).equal(wanted))
                                .isTrue();
                        assertThat(sum.equal(wanted)).isTrue();
                    }
                }
            }
            assertThat(Tensors.shape(Products.product(whole(0, 32), whole(32, 6))))
                    .containsExactly(0, 6);
            for (long rows : new long[] {5, 137}) {
                Tensor q = whole(2, 3, rows, 32);
                Tensor k = whole(2, 3, 80, 32).narrow(2, 1, 70);
                assertThat(Products.products(q, k.transpose(2, 3)).equal(rounded(q, k.transpose(2, 3), null, null)))
                        .isTrue();
                Tensor w = whole(2, 3, rows, 70);
                assertThat(Products.products(w.transpose(2, 3), q).equal(rounded(w.transpose(2, 3), q, null, null)))
                        .isTrue();
            }
        }
    }

    /** Whole numbers and a half too fine for bf16, whether oneDNN or libtorch multiplies. */
    @Test
    void sumsInFp32AreNotRounded() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (long rows : new long[] {5, 137}) {
                Tensor a = whole(rows, 48);
                Tensor b = whole(48, 80);
                for (Tensor place : List.of(
                        Tensors.zeros(ScalarType.Float, rows, 80),
                        Tensors.zeros(ScalarType.Float, rows, 96).narrow(1, 8, 80),
                        Tensors.zeros(ScalarType.Float, 80, rows).t())) {
                    place.fill_(new Scalar(1000.5));
                    Tensor wanted = Ops.to(a, ScalarType.Float)
                            .matmul(Ops.to(b, ScalarType.Float))
                            .add(place);
                    Products.addProduct(place, a, b);
                    assertThat(place.equal(wanted)).isTrue();
                }
            }
            assertThatThrownBy(() -> Products.addProduct(
                            Tensors.zeros(ScalarType.Float, 998, 80), random(999, 48), random(48, 80)))
                    .hasMessageContaining("doesn't fit");
        }
    }

    /** Gradients of narrow matrices are compiled for any number of tokens. */
    @Test
    void gradientsOfAnyNumberOfTokensAreAddedUp() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (long[] size : new long[][] {{37, 51}, {16, 600}, {600, 16}, {320, 640}}) {
                for (long tokens : new long[] {1, 2, 5, 31, 64, 270, 300}) {
                    Tensor x = whole(tokens, size[0]);
                    Tensor g = whole(tokens, size[1]);
                    Tensor once = Ops.to(g.t(), ScalarType.Float).matmul(Ops.to(x, ScalarType.Float));
                    Tensor apart = whole(tokens, size[1] + 8).narrow(1, 3, size[1]);
                    Tensor added = Ops.to(apart.t(), ScalarType.Float).matmul(Ops.to(x, ScalarType.Float));
                    Tensor gradient = Tensors.zeros(ScalarType.Float, size[1], size[0]);
                    OneDnn.product(g.t(), x, null, gradient);
                    OneDnn.product(apart.t(), x, null, gradient);

                    assertThat(gradient.equal(once.add(added)))
                            .as("%d tokens, %d by %d", tokens, size[1], size[0])
                            .isTrue();
                }
            }
        }
    }

    private static Tensor rounded(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        Tensor exact = Ops.to(a, ScalarType.Float).matmul(Ops.to(b, ScalarType.Float));
        Tensor biased = bias == null ? exact : exact.add(bias);
        return Ops.to(sum == null ? biased : biased.add(sum), ScalarType.BFloat16);
    }

    @Test
    void otherTypesAreMultipliedByLibtorch() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor a = RNG.normal(0, 1, 2, 3, 8);
            Tensor b = RNG.normal(0, 1, 2, 8, 5);
            assertThat(Products.batched(a, b).equal(a.bmm(b))).isTrue();
        }
    }

    /** Blocks of 48 columns, of 64, and rests of both. */
    @Test
    void addsABiasAndASumBeforeItRounds() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (long out : new long[] {96, 128, 50}) {
                for (long rows : new long[] {1, 2, 8, 70}) {
                    Tensor x = whole(rows, 1, 40);
                    Tensor w = whole(out, 40);
                    Tensor bias = whole(out);
                    Tensor sum = whole(rows, 1, out);
                    PackedWeight packed = packed(w);
                    Tensor exact = Ops.linear(
                                    Ops.to(x, ScalarType.Float),
                                    Ops.to(w, ScalarType.Float),
                                    Ops.to(bias, ScalarType.Float))
                            .add(sum);
                    Tensor rounded = Ops.to(exact, ScalarType.BFloat16);
                    assertThat(packed.linear(x, bias, sum).equal(rounded))
                            .as("%d rows by %d", rows, out)
                            .isTrue();
                }
            }
        }
    }

    /** The order that a matrix was packed in is that of all products, on any number of threads. */
    @Test
    void threadsDontMatter() {
        int threads = Natives.threads();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (long out : new long[] {96, 128, 50}) {
                for (int[] packing : new int[][] {{1, 2}, {2, 1}, {4, 1}}) {
                    Tensor x = whole(8, 40);
                    Tensor w = whole(out, 40);
                    Natives.threads(packing[0]);
                    PackedWeight packed = packed(w);
                    Natives.threads(packing[1]);
                    assertThat(packed.linear(x, null).equal(Ops.linear(x, w, null)))
                            .isTrue();
                }
            }
        } finally {
            Natives.threads(threads);
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            PackedWeight packed = packed(random(96, 40));
            assertThatThrownBy(() -> packed.linear(random(2, 41), null))
                    .hasMessageContaining("x is")
                    .hasMessageContaining("[2, 41]");
            assertThatThrownBy(() -> packed.linear(RNG.normal(0, 1, 2, 40), null))
                    .hasMessageContaining("Float");
            assertThatThrownBy(() -> packed.linear(random(2, 40), random(95))).hasMessageContaining("bias");
            assertThatThrownBy(() -> packed.linear(random(2, 40), null, random(1, 96)))
                    .hasMessageContaining("sum");
            assertThatThrownBy(() -> Products.batched(random(2, 3, 8), random(2, 9, 4)))
                    .hasMessageContaining("[2, 9, 4]");
            assertThatThrownBy(() -> Products.batched(random(2, 3, 8), RNG.normal(0, 1, 2, 8, 4)))
                    .hasMessageContaining("Float");
            assertThatThrownBy(() -> Products.product(random(999, 48), random(49, 80)))
                    .hasMessageContaining("[999, 48] can't be multiplied by BFloat16 [49, 80]");
            assertThatThrownBy(() -> Products.product(random(999, 48), random(48, 80), random(81), null))
                    .hasMessageContaining("what is added doesn't fit");
            assertThatThrownBy(() -> Products.product(random(999, 48), random(48, 80), null, random(998, 80)))
                    .hasMessageContaining("what is added doesn't fit");
        }
    }

    @Test
    void noRowsGiveNone() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            PackedWeight packed = packed(random(96, 40));
            assertThat(Tensors.shape(packed.linear(random(0, 3, 40), null))).containsExactly(0, 3, 96);
        }
    }

    /** Shapes that were forgotten are made again. */
    @Test
    void anyNumberOfShapesWill() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = random(600, 16);
            PackedWeight packed = packed(random(48, 16));
            Tensor all = packed.linear(x, null);
            for (int round = 0; round < 2; round++) {
                for (int rows = 1; rows <= 600; rows++) {
                    try (Scope inner = new Scope()) {
                        assertThat(packed.linear(x.narrow(0, 0, rows), null).equal(all.narrow(0, 0, rows)))
                                .isTrue();
                    }
                }
            }
        }
    }

    /** Each frees what the others may be about to use. */
    @Test
    void whatWasForgottenIsCompiledAnew() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = whole(137, 48);
            Tensor w = whole(48, 80);
            Tensor before = Products.product(x, w);
            Natives.freeCompiled();
            assertThat(Products.product(x, w).equal(before)).isTrue();
        }
    }

    @Test
    void severalThreadsForgetEachOthersShapes() {
        int shapes = 100 * Runtime.getRuntime().availableProcessors();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor x = whole(70 + shapes, 48);
            Tensor w = whole(48, 80);
            Tensor all = rounded(x, w, null, null);
            List<CompletableFuture<Boolean>> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                int first = i * shapes / 4;
                threads.add(CompletableFuture.supplyAsync(
                        () -> {
                            boolean same = true;
                            for (int turn = 0; turn < 2 * shapes; turn++) {
                                int rows = 70 + (first + turn) % shapes;
                                try (NoGrad inThread = new NoGrad();
                                        Scope inner = new Scope()) {
                                    same &= Products.product(x.narrow(0, 0, rows), w)
                                            .equal(all.narrow(0, 0, rows));
                                }
                            }
                            return same;
                        },
                        task -> new Thread(task).start()));
            }
            assertThat(threads).allSatisfy(thread -> assertThat(thread.join()).isTrue());
        }
    }

    @Test
    void severalThreadsRunOneProduct() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            PackedWeight packed = packed(random(100, 1536));
            List<Tensor> inputs = new ArrayList<>();
            List<Tensor> expected = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                inputs.add(random(9, 1536));
                expected.add(packed.linear(inputs.get(i), null));
            }
            List<CompletableFuture<Boolean>> threads = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                int own = i;
                threads.add(CompletableFuture.supplyAsync(
                        () -> {
                            boolean same = true;
                            for (int round = 0; round < 200; round++) {
                                try (NoGrad inThread = new NoGrad();
                                        Scope inner = new Scope()) {
                                    same &= packed.linear(inputs.get(own), null).equal(expected.get(own));
                                }
                            }
                            return same;
                        },
                        task -> new Thread(task).start()));
            }
            assertThat(threads).allMatch(CompletableFuture::join);
        }
    }
}
