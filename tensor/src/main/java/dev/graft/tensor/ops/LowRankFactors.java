package dev.graft.tensor.ops;

import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A low-rank matrix, {@code scale · B A}, in the form that {@link BatchedLowRankProduct} reads. A {@code [r, in]} and B {@code [out, r]} are
 * contiguous and of one type.
 */
public final class LowRankFactors {
    /** The length of {@link #entry}. */
    static final int ENTRY = 4;

    private final Tensor a;
    private final Tensor b;
    private final double scale;
    private final ScalarType type;
    private final long in;
    private final long rank;
    private final long out;
    private final long[] entry;

    /** @throws IllegalArgumentException if they aren't contiguous or differ in type or rank */
    public LowRankFactors(Tensor a, Tensor b, double scale) {
        this.a = a;
        this.b = b;
        this.scale = scale;
        type = a.scalar_type().intern();
        boolean plain = Kernels.isOf(b, type) && isMatrix(a) && isMatrix(b) && a.size(0) == b.size(1) && a.numel() > 0;
        if (!plain) {
            throw new IllegalArgumentException("A " + type + " " + Arrays.toString(Tensors.shape(a)) + " and B "
                    + b.scalar_type() + " " + Arrays.toString(Tensors.shape(b))
                    + " are no contiguous factors of one type");
        }
        rank = a.size(0);
        in = a.size(1);
        out = b.size(0);
        entry = Kernels.supports(type)
                ? new long[] {
                    Operand.flat("A", a, type, rank * in).address(),
                    Operand.flat("B", b, type, out * rank).address(),
                    rank,
                    Double.doubleToRawLongBits(scale)
                }
                : new long[ENTRY];
    }

    private static boolean isMatrix(Tensor tensor) {
        return tensor.dim() == 2 && tensor.is_contiguous();
    }

    public Tensor a() {
        return a;
    }

    public Tensor b() {
        return b;
    }

    public double scale() {
        return scale;
    }

    public long rank() {
        return rank;
    }

    /** Returns these factors for {@code factor · scale · B A}. */
    public LowRankFactors times(double factor) {
        return factor == 1 ? this : new LowRankFactors(a, b, factor * scale);
    }

    /** Returns the addresses of A and B, the rank, and the bits of the scale; zeros where no loop reads them. */
    long[] entry() {
        return entry;
    }

    boolean matches(ScalarType layers, long inputs, long outputs) {
        return type.value == layers.value && in == inputs && out == outputs;
    }

    @Override
    public String toString() {
        return type + " A [" + rank + ", " + in + "] and B [" + out + ", " + rank + "]";
    }
}
