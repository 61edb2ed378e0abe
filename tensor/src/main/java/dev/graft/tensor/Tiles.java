package dev.graft.tensor;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Products of bf16 matrices in AMX's tiles or by AVX512-BF16 ({@code src/main/native/products.cc}), on as many threads as an operation may use. oneDNN's are as fast but for their compilation, which
 * each number of rows needs anew, and for what it costs to ask for them. A row of an answer depends on no other one.
 */
final class Tiles {
    private static final @Nullable String PROCESSOR = Kernels.LOADED.processor();

    private static final boolean AMX = "amx_bf16".equals(PROCESSOR) && Kernels.tiles() == 1;

    private static final boolean AVAILABLE = AMX || "avx512_bf16".equals(PROCESSOR);

    /** Sums of more products than these are made in parts, which are rounded only in fp32. */
    private static final long DEEP = 1536;

    /** The most inputs of a matrix of which 32 rows of x have room. */
    private static final long WIDEST = 16_384;

    /** Fewer multiplications take one thread less time than handing some to another. */
    private static final long WORTH_SHARING = 1 << 20;

    private static final Map<OneDnn.Matrix, Boolean> IN_TILES = new ConcurrentHashMap<>();

    private Tiles() {}

    /** Whether products {@code a b} are made here. */
    static boolean takes(Tensor a, Tensor b) {
        return AVAILABLE && isBf16(a) && isBf16(b) && a.numel() > 0 && b.numel() > 0;
    }

    /** Whether {@link #linear} multiplies by that matrix, as it does with AMX. */
    static boolean takes(OneDnn.Matrix matrix) {
        return AMX && matrix.in() <= WIDEST && IN_TILES.computeIfAbsent(matrix, OneDnn.Matrix::isInTiles);
    }

    /** {@code y = sum + x Wᵀ + b}, rounded once, on as many threads as an operation may use. */
    static void linear(
            OneDnn.Matrix matrix, Tensor packed, Tensor x, @Nullable Tensor bias, @Nullable Tensor sum, Tensor y) {
        if (x.numel() == 0) {
            return;
        }
        Tensor rows = x.is_contiguous() ? x : x.contiguous();
        Tensor added = bias == null ? null : bias.contiguous();
        Tensor before = sum == null || sum.is_contiguous() ? sum : sum.contiguous();
        Kernels.linear(
                rows.data_ptr().address(),
                packed.data_ptr().address(),
                added == null ? 0 : added.data_ptr().address(),
                before == null ? 0 : before.data_ptr().address(),
                y.data_ptr().address(),
                x.numel() / matrix.in(),
                matrix.out(),
                matrix.in(),
                Natives.threads());
        Kernels.keep(rows, packed, added, before, y);
    }

    /** {@code sum + a b + bias}, rounded once, in place of sum where there is one; sum is bf16 or fp32 {@code [rows, out]}. */
    static Tensor product(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        boolean deep = a.size(1) > DEEP;
        if (sum == null) {
            Tensor y = Tensors.empty(deep ? ScalarType.Float : ScalarType.BFloat16, a.size(0), b.size(1));
            run(a, b, bias, y, false);
            return Ops.to(y, ScalarType.BFloat16);
        }
        if (deep && isBf16(sum)) {
            Tensor y = Tensors.empty(ScalarType.Float, a.size(0), b.size(1));
            run(a, b, bias, y, false);
            Fused.addTo(sum, y);
        } else {
            run(a, b, bias, sum, true);
        }
        return sum;
    }

    /** Products of a {@code [n, rows, in]} and b {@code [n, in, out]}. */
    static Tensor products(Tensor a, Tensor b) {
        boolean deep = a.size(2) > DEEP;
        Tensor y = Tensors.empty(deep ? ScalarType.Float : ScalarType.BFloat16, a.size(0), a.size(1), b.size(2));
        run(a, b, null, y, false);
        return Ops.to(y, ScalarType.BFloat16);
    }

    private static void run(Tensor a, Tensor b, @Nullable Tensor bias, Tensor y, boolean sum) {
        Tensor left = Grid.of(a).isPlain() ? a : a.contiguous();
        Tensor right = Grid.of(b).isPlain() ? b : b.contiguous();
        Tensor added = bias == null ? null : bias.contiguous();
        Grid first = Grid.of(left);
        Grid second = Grid.of(right);
        Grid answer = Grid.of(y);
        if (!answer.isPlain()) {
            Tensor plain = y.contiguous();
            run(a, b, bias, plain, sum);
            y.copy_(plain);
            return;
        }
        boolean fits = first.columns() == second.rows()
                && first.rows() == answer.rows()
                && second.columns() == answer.columns()
                && first.count() == second.count()
                && (added == null || isBf16(added) && added.numel() == answer.columns());
        OneDnn.require(a, b, fits);
        boolean shared = a.numel() * answer.columns() >= WORTH_SHARING;
        Kernels.products(
                left.data_ptr().address(),
                first.row(),
                first.column(),
                first.next(),
                right.data_ptr().address(),
                second.row(),
                second.column(),
                second.next(),
                added == null ? 0 : added.data_ptr().address(),
                y.data_ptr().address(),
                isBf16(y) ? 0 : 1,
                answer.row(),
                answer.column(),
                answer.next(),
                answer.rows(),
                answer.columns(),
                first.columns(),
                Math.max(1, answer.count()),
                sum ? 1 : 0,
                shared ? Natives.threads() : 1);
        Kernels.keep(left, right, added, y);
    }

    private static boolean isBf16(Tensor x) {
        return x.scalar_type().value == ScalarType.BFloat16.value;
    }
}
