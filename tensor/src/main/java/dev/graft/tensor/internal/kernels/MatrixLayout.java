package dev.graft.tensor.internal.kernels;

import dev.graft.tensor.Tensors;
import io.soabase.recordbuilder.core.RecordBuilder;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The memory layout of bf16 matrices.
 *
 * @param count the number of matrices; 0 for one outside a batch
 * @param batchStride the distance from one matrix's first value to the next one's
 */
public @RecordBuilder record MatrixLayout(
        long count, long rows, long columns, long batchStride, long rowStride, long columnStride)
        implements MatrixLayoutBuilder.With {
    public static MatrixLayout of(Tensor x) {
        boolean alone = x.dim() == 2;
        long count = alone ? 0 : x.size(0);
        long rows = x.size(-2);
        long columns = x.size(-1);
        // The stride of a single row, column or matrix says nothing and may be anything.
        return new MatrixLayout(
                count,
                rows,
                columns,
                count < 2 ? count * rows * columns : x.stride(0),
                rows == 1 ? columns : x.stride(-2),
                columns == 1 ? 1 : x.stride(-1));
    }

    /** Returns whether the values of each row, or of each column, are adjacent and none occurs twice. */
    public boolean isDense() {
        boolean apart = count == 0 || batchStride >= rows * columns;
        return apart && (isRowMajor() || rowStride == 1 && columnStride >= rows);
    }

    /** Returns the number of values from the first to the last one, those between rows included. */
    public long extent() {
        return (Math.max(1, count) - 1) * batchStride + (rows - 1) * rowStride + (columns - 1) * columnStride + 1;
    }

    public boolean isRowMajor() {
        return columnStride == 1 && rowStride >= columns;
    }

    /**
     * Refuses operands that don't fit a product whose loop or primitive reads bare addresses.
     *
     * @throws IllegalArgumentException if they don't fit
     */
    public static void require(Tensor a, Tensor b, boolean fits) {
        if (!fits || !isBf16(a) || !isBf16(b) || a.size(-1) != b.size(-2)) {
            throw new IllegalArgumentException(a.scalar_type() + " " + Arrays.toString(Tensors.shape(a))
                    + " can't be multiplied by " + b.scalar_type() + " " + Arrays.toString(Tensors.shape(b))
                    + ", or what is added doesn't fit");
        }
    }

    public static boolean isBf16(Tensor x) {
        return x.scalar_type().value == ScalarType.BFloat16.value;
    }
}
