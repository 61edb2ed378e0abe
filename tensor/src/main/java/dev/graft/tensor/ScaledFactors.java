package dev.graft.tensor;

import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A low-rank matrix, {@code scale · B A}, as {@link RowUpdates} reads it: A {@code [r, in]} and B {@code [out, r]} are contiguous and of one type. */
public final class ScaledFactors {
    /** How many numbers {@link #entry} has. */
    static final int ENTRY = 4;

    private final Tensor a;
    private final Tensor b;
    private final double scale;
    private final ScalarType type;
    private final long in;
    private final long rank;
    private final long out;
    private final long[] entry;

    /** @throws IllegalArgumentException if they aren't */
    public ScaledFactors(Tensor a, Tensor b, double scale) {
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
        entry = new long[] {Kernels.at(a), Kernels.at(b), rank, Double.doubleToRawLongBits(scale)};
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

    /** The same factors of {@code factor · scale · B A}. */
    public ScaledFactors times(double factor) {
        return factor == 1 ? this : new ScaledFactors(a, b, factor * scale);
    }

    /** Where A and B are, the rank, and the bits of the scale. */
    long[] entry() {
        return entry;
    }

    boolean fit(ScalarType layers, long inputs, long outputs) {
        return type.value == layers.value && in == inputs && out == outputs;
    }

    @Override
    public String toString() {
        return type + " A [" + rank + ", " + in + "] and B [" + out + ", " + rank + "]";
    }
}
