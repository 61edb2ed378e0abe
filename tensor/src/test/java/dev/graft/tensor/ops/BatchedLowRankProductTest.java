package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BatchedLowRankProductTest {
    private static final Rng RNG = Rng.of(7, "row-updates");

    private static Tensor random(ScalarType type, long... shape) {
        return Ops.to(RNG.normal(0, 1, shape), type);
    }

    private static LowRankFactors factors(ScalarType type, long in, long rank, long out, double scale) {
        return new LowRankFactors(random(type, rank, in), random(type, out, rank), scale);
    }

    /** In fp32, and z rounded as the layers' type asks. */
    private static Tensor expected(Tensor x, LowRankFactors factors, ScalarType type) {
        Tensor z = Ops.scale(
                Ops.linear(Ops.to(x, ScalarType.Float), Ops.to(factors.a(), ScalarType.Float), null), factors.scale());
        return Ops.linear(Ops.to(Ops.to(z, type), ScalarType.Float), Ops.to(factors.b(), ScalarType.Float), null);
    }

    /** Of three layers and five texts, of which some have no update of some; the same with one thread and two, whatever texts stand beside. */
    @ParameterizedTest
    @CsvSource({
        "Float, 1, 40, 16, 192, 1e-5",
        "Float, 1, 33, 1, 5, 1e-5",
        "Float, 1, 700, 19, 50, 1e-5",
        "Float, 9, 64, 8, 130, 1e-5",
        "BFloat16, 1, 576, 16, 192, 0.02",
        "BFloat16, 1, 1536, 16, 576, 0.02",
        "BFloat16, 1, 40, 8, 640, 0.02",
        "BFloat16, 1, 33, 5, 77, 0.02",
        "BFloat16, 1, 700, 35, 50, 0.02",
        "BFloat16, 1, 47, 16, 33, 0.02",
        "BFloat16, 1, 1, 1, 1, 0.02",
        "BFloat16, 7, 576, 16, 192, 0.02",
        "BFloat16, 65, 33, 5, 77, 0.02",
        "BFloat16, 33, 1600, 48, 40, 0.02",
        "Double, 1, 40, 4, 20, 1e-5",
        "Double, 3, 40, 4, 20, 1e-5"
    })
    void eachTextHasTheUpdatesOfItsOwnFactors(
            ScalarType type, int tokens, int in, int rank, int out, double tolerance) {
        int threads = Natives.threads();
        List<Long> outs = List.of((long) out, 2L * out, (long) out);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                BatchedLowRankProduct updates = new BatchedLowRankProduct(type, 5, in, outs)) {
            Tensor x = random(type, 5, tokens, 2L * in).narrow(2, in, in);
            Tensor wanted = Tensors.zeros(ScalarType.Float, 5, tokens, 4L * out);
            for (int text = 0; text < 5; text++) {
                for (int layer = 0; layer < 3; layer++) {
                    if (text == 1 || text == 3 && layer < 2) {
                        continue;
                    }
                    int its = layer == 2 ? rank + text : rank;
                    LowRankFactors factors = factors(type, in, its, outs.get(layer), layer == 1 ? 0.5 : -1.75);
                    updates.put(text, layer, factors);
                    wanted.select(0, text)
                            .narrow(1, layer == 0 ? 0 : (2L * layer - 1) * out, outs.get(layer))
                            .copy_(expected(x.select(0, text), factors, type));
                }
            }
            Tensor all = updates.times(x, 0);
            assertThat(Tensors.shape(all)).containsExactly(5, tokens, 4L * out);
            assertThat(all.scalar_type().value).isEqualTo(type.value);
            assertThat(all.select(0, 1).abs().max().item_double()).isZero();
            Tensor difference = Ops.to(all, ScalarType.Float).sub(wanted).abs();
            assertThat(difference.max().item_double() / wanted.abs().max().item_double())
                    .isLessThan(tolerance);
            for (int used : new int[] {1, 2, threads}) {
                Natives.threads(used);
                for (int first = 0; first < 5; first++) {
                    for (int texts = 1; texts <= 5 - first; texts++) {
                        assertThat(updates.times(x.narrow(0, first, texts), first)
                                        .equal(all.narrow(0, first, texts)))
                                .isTrue();
                    }
                }
            }
        } finally {
            Natives.threads(threads);
        }
    }

    /** Several texts may have the factors of one adapter, and another one's after that. */
    @ParameterizedTest
    @CsvSource({"Float, 1", "Float, 5", "BFloat16, 1", "BFloat16, 33"})
    void factorsAreSharedAndReplaced(ScalarType type, int tokens) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope();
                BatchedLowRankProduct updates = new BatchedLowRankProduct(type, 4, 48, List.of(64L));
                BatchedLowRankProduct alone = new BatchedLowRankProduct(type, 1, 48, List.of(64L))) {
            LowRankFactors one = factors(type, 48, 16, 64, 2);
            LowRankFactors other = factors(type, 48, 24, 64, 1);
            Tensor x = random(type, 4, tokens, 48);
            assertThat(updates.hasUpdate(0, 4)).isFalse();
            for (List<LowRankFactors> round : List.of(List.of(one, one, other, one), List.of(other, one, one, other))) {
                for (int text = 0; text < 4; text++) {
                    updates.put(text, 0, round.get(text));
                }
                Tensor all = updates.times(x, 0);
                for (int text = 0; text < 4; text++) {
                    alone.put(0, 0, round.get(text));
                    assertThat(alone.times(x.narrow(0, text, 1), 0).equal(all.narrow(0, text, 1)))
                            .isTrue();
                }
            }
            for (int text = 0; text < 4; text++) {
                assertThat(updates.hasUpdate(0, 4)).isTrue();
                updates.put(text, 0, null);
                assertThat(updates.hasUpdate(text, 1)).isFalse();
            }
            assertThat(updates.hasUpdate(0, 4)).isFalse();
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Scope scope = new Scope();
                BatchedLowRankProduct updates = new BatchedLowRankProduct(ScalarType.Float, 2, 8, List.of(6L, 4L))) {
            Stream.of(
                            factors(ScalarType.Float, 7, 4, 6, 1),
                            factors(ScalarType.Float, 8, 4, 5, 1),
                            factors(ScalarType.BFloat16, 8, 4, 6, 1))
                    .forEach(wrong -> assertThatThrownBy(() -> updates.put(0, 0, wrong))
                            .isInstanceOf(IllegalArgumentException.class)
                            .hasMessageContaining("don't fit a layer [6, 8]"));
            assertThat(updates.hasUpdate(0, 2)).isFalse();
            updates.put(0, 0, factors(ScalarType.Float, 8, 4, 6, 1));
            assertThatThrownBy(() -> updates.times(random(ScalarType.Float, 2, 1, 7), 0))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("has not 8 inputs");
            assertThatThrownBy(() -> updates.times(random(ScalarType.Float, 2, 1, 8), 1))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void whatIsNoPairOfFactorsIsRefused() {
        try (Scope scope = new Scope()) {
            Tensor a = random(ScalarType.Float, 4, 8);
            for (Tensor b : List.of(
                    random(ScalarType.Float, 4, 6).t(),
                    random(ScalarType.Float, 6, 3),
                    random(ScalarType.BFloat16, 6, 4),
                    random(ScalarType.Float, 6, 4, 1))) {
                assertThatThrownBy(() -> new LowRankFactors(a, b, 1))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining("are no contiguous factors of one type");
            }
        }
    }
}
