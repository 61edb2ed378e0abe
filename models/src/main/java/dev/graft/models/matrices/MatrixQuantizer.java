package dev.graft.models.matrices;

import dev.graft.formats.quantized.Codebook;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Quantises matrices. Separate from {@link Quantization}, since options are parsed before libtorch is loaded. */
public final class MatrixQuantizer {
    private MatrixQuantizer() {}

    /**
     * Quantises a matrix {@code [rows, columns]} for products in that type. The result lives as long as something refers to it.
     */
    public static QuantizedMatrix quantize(Quantization kind, Tensor values, ScalarType type) {
        return QuantizedMatrix.kept(() -> switch (kind) {
            case NF4 -> FourBitMatrix.of(kind.title(), Codebook.NF4, values, type);
            case FP4 -> FourBitMatrix.of(kind.title(), Codebook.FP4, values, type);
            case INT8 -> Int8Matrix.of(values, type);
            case INT4 -> GroupedInt4Matrix.of(values, type, GroupedInt4Matrix.GROUP);
            case NONE, KEEP -> throw new IllegalStateException(kind.title() + " is no kind of quantisation");
        });
    }
}
