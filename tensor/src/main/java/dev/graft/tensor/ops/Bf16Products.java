package dev.graft.tensor.ops;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.MatrixLayout;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Products of bf16 matrices in AMX's tiles or by AVX512-BF16 ({@code src/main/native/products.cc}), on as many threads as an operation may use.
 * oneDNN's are as fast, except for their compilation for each number of rows and the overhead of a call. A row of a result depends on no other
 * row.
 */
final class Bf16Products {
    private static final @Nullable String PROCESSOR = Kernels.LOADED.processor();

    private static final boolean AMX = "amx_bf16".equals(PROCESSOR) && Kernels.tiles() == 1;

    private static final boolean AVAILABLE = AMX || "avx512_bf16".equals(PROCESSOR);

    /** Sums of more products than these are made in parts, which are rounded only in fp32. */
    private static final long DEEP = 1536;

    /** The most inputs of a matrix of which 32 rows of x have room. */
    private static final long WIDEST = 16_384;

    /** Fewer multiplications take one thread less time than handing some to another. */
    private static final long WORTH_SHARING = 1 << 20;

    private Bf16Products() {}

    /** Returns whether these loops support the product {@code a b}. */
    static boolean supports(Tensor a, Tensor b) {
        return AVAILABLE && MatrixLayout.isBf16(a) && MatrixLayout.isBf16(b) && a.numel() > 0 && b.numel() > 0;
    }

    /**
     * Returns whether {@link #linear} supports a matrix with that many inputs, if its values are in the order of tiles.
     */
    static boolean supports(long in) {
        return AMX && in <= WIDEST;
    }

    /** {@code y = sum + x Wᵀ + b}, rounded once, on as many threads as an operation may use. */
    static void linear(
            long in, long out, Tensor packed, Tensor x, @Nullable Tensor bias, @Nullable Tensor sum, Tensor y) {
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
                x.numel() / in,
                out,
                in,
                Natives.threads());
        Kernels.keepAlive(rows, packed, added, before, y);
    }

    /** Returns {@code sum + a b + bias}, rounded once. A sum, bf16 or fp32 {@code [rows, out]}, is overwritten. */
    static Tensor product(Tensor a, Tensor b, @Nullable Tensor bias, @Nullable Tensor sum) {
        boolean deep = a.size(1) > DEEP;
        if (sum == null) {
            Tensor y = Tensors.empty(deep ? ScalarType.Float : ScalarType.BFloat16, a.size(0), b.size(1));
            run(a, b, bias, y, false);
            return Ops.to(y, ScalarType.BFloat16);
        }
        if (deep && MatrixLayout.isBf16(sum)) {
            Tensor y = Tensors.empty(ScalarType.Float, a.size(0), b.size(1));
            run(a, b, bias, y, false);
            FusedOps.addTo(sum, y);
        } else {
            run(a, b, bias, sum, true);
        }
        return sum;
    }

    /** Multiplies a {@code [n, rows, in]} and b {@code [n, in, out]}. */
    static Tensor products(Tensor a, Tensor b) {
        boolean deep = a.size(2) > DEEP;
        Tensor y = Tensors.empty(deep ? ScalarType.Float : ScalarType.BFloat16, a.size(0), a.size(1), b.size(2));
        run(a, b, null, y, false);
        return Ops.to(y, ScalarType.BFloat16);
    }

    private static void run(Tensor a, Tensor b, @Nullable Tensor bias, Tensor y, boolean sum) {
        Tensor left = MatrixLayout.of(a).isDense() ? a : a.contiguous();
        Tensor right = MatrixLayout.of(b).isDense() ? b : b.contiguous();
        Tensor added = bias == null ? null : bias.contiguous();
        MatrixLayout first = MatrixLayout.of(left);
        MatrixLayout second = MatrixLayout.of(right);
        MatrixLayout answer = MatrixLayout.of(y);
        if (!answer.isDense()) {
            Tensor plain = y.contiguous();
            run(a, b, bias, plain, sum);
            y.copy_(plain);
            return;
        }
        boolean fits = first.columns() == second.rows()
                && first.rows() == answer.rows()
                && second.columns() == answer.columns()
                && first.count() == second.count()
                && (added == null || MatrixLayout.isBf16(added) && added.numel() == answer.columns());
        MatrixLayout.require(a, b, fits);
        boolean shared = a.numel() * answer.columns() >= WORTH_SHARING;
        Kernels.products(
                left.data_ptr().address(),
                first.rowStride(),
                first.columnStride(),
                first.batchStride(),
                right.data_ptr().address(),
                second.rowStride(),
                second.columnStride(),
                second.batchStride(),
                added == null ? 0 : added.data_ptr().address(),
                y.data_ptr().address(),
                MatrixLayout.isBf16(y) ? 0 : 1,
                answer.rowStride(),
                answer.columnStride(),
                answer.batchStride(),
                answer.rows(),
                answer.columns(),
                first.columns(),
                Math.max(1, answer.count()),
                sum ? 1 : 0,
                shared ? Natives.threads() : 1);
        Kernels.keepAlive(left, right, added, y);
    }
}
