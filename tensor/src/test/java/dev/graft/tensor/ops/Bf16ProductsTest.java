package dev.graft.tensor.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.graft.tensor.Natives;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Random;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whole numbers, whose sums are exact in any order. */
class Bf16ProductsTest {
    private final Random random = new Random(11);

    @BeforeEach
    void onThisProcessor() {
        try (Scope scope = new Scope()) {
            Tensor one = Tensors.ones(ScalarType.BFloat16, 1, 1);
            assumeThat(Bf16Products.supports(one, one)).isTrue();
        }
    }

    private Tensor whole(ScalarType type, long... shape) {
        return Ops.to(Rng.of(random.nextLong(), "tiles").normal(0, 3, shape).round(), type);
    }

    /** A matrix by rows or by columns, alone in memory or part of a wider one. */
    private Tensor matrix(ScalarType type, long rows, long columns) {
        long more = random.nextInt(3) * 5L;
        return random.nextBoolean()
                ? whole(type, rows, columns + more).narrow(1, more / 2, columns)
                : whole(type, columns, rows + more).narrow(1, more / 2, rows).t();
    }

    private static Tensor wide(Tensor x) {
        return Ops.to(x, ScalarType.Double);
    }

    private static Tensor expected(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        Tensor product = wide(a).matmul(wide(b));
        Tensor biased = bias == null ? product : product.add(wide(bias));
        return sum == null ? biased : biased.add(wide(sum));
    }

    private long upTo(int most) {
        return 1L + random.nextInt(most);
    }

    @Test
    void multipliesMatricesOfAnySize() {
        try (NoGrad noGrad = new NoGrad()) {
            for (int i = 0; i < 400; i++) {
                try (Scope scope = new Scope()) {
                    long m = upTo(random.nextInt(10) == 0 ? 1200 : 100);
                    long n = upTo(150);
                    long k = upTo(random.nextInt(10) == 0 ? 5000 : 200);
                    Tensor a = matrix(ScalarType.BFloat16, m, k);
                    Tensor b = matrix(ScalarType.BFloat16, k, n);
                    Tensor bias = random.nextBoolean() ? whole(ScalarType.BFloat16, n) : null;
                    String what = i + ": " + m + " x " + k + " by " + k + " x " + n;
                    Tensor y = Bf16Products.product(a, b, bias, null);
                    assertThat(y.equal(Ops.to(expected(a, b, bias, null), ScalarType.BFloat16)))
                            .as(what)
                            .isTrue();
                    for (ScalarType type : new ScalarType[] {ScalarType.BFloat16, ScalarType.Float}) {
                        Tensor sum = matrix(type, m, n);
                        Tensor whole = Ops.to(expected(a, b, bias, sum), type);
                        assertThat(Bf16Products.product(a, b, bias, sum)).isSameAs(sum);
                        assertThat(sum.equal(whole))
                                .as(what + " added to " + type)
                                .isTrue();
                    }
                }
            }
        }
    }

    @Test
    void multipliesMatricesInBatches() {
        try (NoGrad noGrad = new NoGrad()) {
            for (int i = 0; i < 60; i++) {
                try (Scope scope = new Scope()) {
                    long count = upTo(4);
                    Tensor a = whole(ScalarType.BFloat16, count, upTo(90), upTo(90));
                    long k = a.size(2);
                    Tensor b = random.nextBoolean()
                            ? whole(ScalarType.BFloat16, count, k, upTo(90))
                            : whole(ScalarType.BFloat16, count, upTo(90), k).transpose(1, 2);
                    Tensor left = random.nextBoolean()
                            ? a
                            : a.transpose(1, 2).contiguous().transpose(1, 2);
                    Tensor wanted = Ops.to(wide(left).bmm(wide(b)), ScalarType.BFloat16);
                    assertThat(Bf16Products.products(left, b).equal(wanted)).isTrue();
                }
            }
        }
    }

    @Test
    void leavesWhatStandsBesideTheAnswerAsItIs() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor all = Tensors.ones(ScalarType.BFloat16, 40, 70);
            Tensor place = all.narrow(0, 3, 33).narrow(1, 5, 61);
            Bf16Products.product(whole(ScalarType.BFloat16, 33, 50), whole(ScalarType.BFloat16, 50, 61), null, place);
            place.fill_(new Scalar(1));
            assertThat(all.equal(Tensors.ones(ScalarType.BFloat16, 40, 70))).isTrue();
        }
    }

    /** To the last bit, of numbers whose sums are rounded. */
    @Test
    void aRowIsMultipliedAsItIsAlone() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(5, "rows");
            Tensor a = Ops.to(rng.normal(0, 1, 77, 200), ScalarType.BFloat16);
            Tensor b = Ops.to(rng.normal(0, 1, 200, 90), ScalarType.BFloat16);
            Tensor y = Bf16Products.product(a, b, null, null);
            for (long row = 0; row < 77; row += 7) {
                assertThat(Bf16Products.product(a.narrow(0, row, 1), b, null, null)
                                .equal(y.narrow(0, row, 1)))
                        .isTrue();
            }
        }
    }

    /** Products, rows and columns are shared among threads, of which there may be more than there is to share. */
    @Test
    void threadsShareTheirWorkAndGiveTheSame() {
        int before = Natives.threads();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Rng rng = Rng.of(6, "threads");
            for (long[] size : new long[][] {{1, 300, 40}, {1, 33, 700}, {1, 20, 31}, {2, 150, 90}, {7, 70, 200}}) {
                Tensor a = Ops.to(rng.normal(0, 1, size[0], size[1], 600), ScalarType.BFloat16);
                Tensor b = Ops.to(rng.normal(0, 1, size[0], 600, size[2]), ScalarType.BFloat16);
                Natives.threads(1);
                Tensor alone = Bf16Products.products(a, b);
                for (int threads = 2; threads <= 3; threads++) {
                    Natives.threads(threads);
                    assertThat(Bf16Products.products(a, b).equal(alone)).isTrue();
                }
            }
        } finally {
            Natives.threads(before);
        }
    }

    @Test
    void whatIsNotANumberStaysInItsRow() {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Tensor a = whole(ScalarType.BFloat16, 50, 70);
            a.select(0, 33).select(0, 69).fill_(new Scalar(Double.NaN));
            Tensor y = Bf16Products.product(a, whole(ScalarType.BFloat16, 70, 20), null, null);
            Tensor isNan = y.ne(y);
            assertThat(Tensors.item(Ops.to(isNan, ScalarType.Float).sum())).isEqualTo(20);
            assertThat(Tensors.item(
                            Ops.to(isNan.select(0, 33), ScalarType.Float).sum()))
                    .isEqualTo(20);
        }
    }
}
