package dev.graft.tensor.ops;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.MatrixLayout;
import dev.graft.tensor.internal.kernels.Operand;
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

    private static final boolean AMX = "amx_bf16".equals(PROCESSOR) && tiles() == 1;

    private static final boolean AVAILABLE = AMX || "avx512_bf16".equals(PROCESSOR);

    /** Sums of more products than these are made in parts, which are rounded only in fp32. */
    private static final long DEEP = 1536;

    /** The most inputs of a matrix of which 32 rows of x have room. */
    private static final long WIDEST = 16_384;

    /** The columns of a block of a matrix in the order of tiles; the last block has room for all. */
    private static final long BLOCK = 32;

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
        ScalarType type = ScalarType.BFloat16;
        long m = x.numel() / in;
        Operand rows = Operand.flat("x", x.contiguous(), type, m * in);
        Operand w =
                Operand.room("the packed matrix", packed, type, in * ((out + BLOCK - 1) / BLOCK * BLOCK) * Short.BYTES);
        Operand added = bias == null ? null : Operand.flat("bias", bias.contiguous(), type, out);
        Operand before = sum == null ? null : Operand.flat("sum", sum.contiguous(), type, m * out);
        Operand to = Operand.flat("the product", y, type, m * out);
        linear(
                rows.address(),
                w.address(),
                Operand.address(added),
                Operand.address(before),
                to.address(),
                m,
                out,
                in,
                Natives.threads());
        Operand.keepAlive(rows, w, added, before, to);
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
        Operand l = Operand.matrices("a", left, ScalarType.BFloat16, first);
        Operand r = Operand.matrices("b", right, ScalarType.BFloat16, second);
        Operand plus = added == null ? null : Operand.flat("bias", added, ScalarType.BFloat16, answer.columns());
        Operand to = Operand.matrices("the product", y, y.scalar_type(), answer);
        products(
                l.address(),
                first.rowStride(),
                first.columnStride(),
                first.batchStride(),
                r.address(),
                second.rowStride(),
                second.columnStride(),
                second.batchStride(),
                Operand.address(plus),
                to.address(),
                1 - to.bf16(),
                answer.rowStride(),
                answer.columnStride(),
                answer.batchStride(),
                answer.rows(),
                answer.columns(),
                first.columns(),
                Math.max(1, answer.count()),
                sum ? 1 : 0,
                shared ? Natives.threads() : 1);
        Operand.keepAlive(l, r, plus, to);
    }

    /** Requests AMX's registers from the system; returns 1 if this process has them. */
    private static native int tiles();

    /**
     * Computes {@code y = a b + bias}, or {@code y += a b + bias}, of count bf16 matrices a {@code [m, k]} and b {@code [k, n]}.
     *
     * @param aRow the distance from one row's first value to the next row's; columns, and matrices of a batch, likewise
     * @param bias 0 for none
     * @param yFloat whether y is fp32; else it is bf16, and k is at most 1,536
     */
    private static native void products(
            long a,
            long aRow,
            long aColumn,
            long aNext,
            long b,
            long bRow,
            long bColumn,
            long bNext,
            long bias,
            long y,
            int yFloat,
            long yRow,
            long yColumn,
            long yNext,
            long m,
            long n,
            long k,
            long count,
            int sum,
            int threads);

    /**
     * Computes {@code y = x Wᵀ + before + bias} of bf16 rows x {@code [m, k]}; k is a multiple of 32.
     *
     * @param packed W {@code [n, k]} in oneDNN's order BA16a32b2a
     * @param bias 0 for none
     * @param before {@code [m, n]}, 0 for none
     */
    private static native void linear(
            long x, long packed, long bias, long before, long y, long m, long n, long k, int threads);
}
