package dev.graft.models.matrices;

import dev.graft.formats.quantized.Int8Rows;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.Int8GradientProduct;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A matrix in eight bits per value with a scale for each row. libtorch decodes it in parts that stay in the processor's cache.
 */
public final class Int8Matrix extends QuantizedMatrix {
    private static final int PIECE = 1 << 17;

    private final ScalarType type;
    private final Tensor codes;
    private final Tensor absmax;

    /**
     * Creates a matrix for products in that type.
     *
     * @param codes int8 {@code [rows, columns]}
     * @param absmax fp32 {@code [rows]}, the value of code 127 in each row
     */
    public Int8Matrix(ScalarType type, Tensor codes, Tensor absmax) {
        this.type = type;
        this.codes = codes;
        this.absmax = absmax;
    }

    /** Quantises a matrix. */
    static Int8Matrix of(Tensor values, ScalarType type) {
        long rows = values.size(0);
        long columns = values.size(1);
        Int8Rows quantized = Int8Rows.quantize(Tensors.floats(values), Math.toIntExact(columns));
        return new Int8Matrix(
                type,
                Tensors.of(ByteBuffer.wrap(quantized.codes()), ScalarType.Char, rows, columns),
                Tensors.of(quantized.absmax(), rows));
    }

    @Override
    public String kind() {
        return "int8";
    }

    @Override
    public ScalarType type() {
        return type;
    }

    /** The codes, as in the constructor. */
    public Tensor codes() {
        return codes;
    }

    /** The absolute maximum of each row, as in the constructor. */
    public Tensor absmax() {
        return absmax;
    }

    @Override
    public long rows() {
        return codes.size(0);
    }

    @Override
    public long columns() {
        return codes.size(1);
    }

    @Override
    public QuantizedMatrix requantize(Tensor values) {
        return kept(() -> of(values, type));
    }

    @Override
    public List<Tensor> parts() {
        return List.of(codes, absmax);
    }

    @Override
    Int8GradientProduct gradientProduct() {
        return Int8GradientProduct.of(codes, absmax);
    }

    @Override
    public long rowAlignment() {
        return 1;
    }

    @Override
    public void decode(long from, Tensor into) {
        long rows = into.size(0);
        long piece = Math.max(1, PIECE / columns());
        ScalarType exact = type.value == ScalarType.Double.value ? ScalarType.Double : ScalarType.Float;
        try (Scope scope = new Scope()) {
            Tensor scales = Ops.to(absmax.narrow(0, from, rows), exact)
                    .div(new Scalar(127.0))
                    .unsqueeze(1);
            if (FusedOps.decodeInt8(codes.narrow(0, from, rows), scales, into)) {
                return;
            }
            Tensor values = Tensors.empty(exact, Math.min(piece, rows), columns());
            for (long at = 0; at < rows; at += piece) {
                long count = Math.min(piece, rows - at);
                try (Scope once = new Scope()) {
                    Tensor some = values.narrow(0, 0, count);
                    some.copy_(codes.narrow(0, from + at, count)).mul_(scales.narrow(0, at, count));
                    into.narrow(0, at, count).copy_(some);
                }
            }
        }
    }
}
