package dev.graft.models.matrices;

import dev.graft.formats.quantized.Int8Rows;
import dev.graft.tensor.GradientProduct;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Eight bits to a value and a scale to a row. libtorch's own arithmetic decodes it, in pieces that stay in the processor's cache. */
public final class EightBit extends Quantized {
    private static final int PIECE = 1 << 17;

    private final ScalarType type;
    private final Tensor codes;
    private final Tensor absmax;

    /**
     * A matrix for products in that type.
     *
     * @param codes int8 {@code [rows, columns]}
     * @param absmax fp32 {@code [rows]}; a code of 127 stands for it
     */
    public EightBit(ScalarType type, Tensor codes, Tensor absmax) {
        this.type = type;
        this.codes = codes;
        this.absmax = absmax;
    }

    /** Quantises a matrix. */
    static EightBit of(Tensor values, ScalarType type) {
        long rows = values.size(0);
        long columns = values.size(1);
        Int8Rows quantized = Int8Rows.quantize(Tensors.floats(values), Math.toIntExact(columns));
        return new EightBit(
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

    /** As in the constructor. */
    public Tensor codes() {
        return codes;
    }

    /** As in the constructor. */
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
    public Quantized again(Tensor values) {
        return Quantization.INT8.quantize(values, type);
    }

    @Override
    public List<Tensor> parts() {
        return List.of(codes, absmax);
    }

    @Override
    GradientProduct gradientProduct() {
        return GradientProduct.of(codes, absmax);
    }

    @Override
    public long step() {
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
            for (long at = 0; at < rows; at += piece) {
                long count = Math.min(piece, rows - at);
                try (Scope once = new Scope()) {
                    Tensor some = codes.narrow(0, from + at, count).to(exact);
                    into.narrow(0, at, count).copy_(some.mul_(scales.narrow(0, at, count)));
                }
            }
        }
    }
}
