package dev.graft.models.matrices;

import dev.graft.formats.GgmlType;
import dev.graft.formats.InputException;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** A matrix in the unchanged blocks of a GGUF file. */
public final class GgmlMatrix extends QuantizedMatrix {
    private final GgmlType ggml;
    private final long rows;
    private final long columns;
    private final ScalarType type;
    private final Tensor blocks;

    /**
     * Creates a matrix for products in that type.
     *
     * @param blocks uint8, row by row
     */
    public GgmlMatrix(GgmlType ggml, long rows, long columns, ScalarType type, Tensor blocks) {
        this.ggml = ggml;
        this.rows = rows;
        this.columns = columns;
        this.type = type;
        this.blocks = blocks;
    }

    @Override
    public String kind() {
        return ggml.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public long rows() {
        return rows;
    }

    @Override
    public long columns() {
        return columns;
    }

    @Override
    public ScalarType type() {
        return type;
    }

    @Override
    public QuantizedMatrix requantize(Tensor values) {
        throw new InputException(kind() + " is only read, not written: dequantise, or load the base with quantization"
                + " nf4, fp4 or int8");
    }

    @Override
    public List<Tensor> parts() {
        return List.of(blocks);
    }

    @Override
    public long rowAlignment() {
        return 1;
    }

    @Override
    public void decode(long from, Tensor into) {
        if (isAffine()) {
            AffineCodes.decode(this::groups, from, into);
            return;
        }
        FloatDecoder decoder = (first, count, values) -> {
            byte[] some = new byte[count / ggml.blockElements() * ggml.blockBytes()];
            new BytePointer(blocks.data_ptr())
                    .position(first / ggml.blockElements() * ggml.blockBytes())
                    .get(some);
            ggml.decode(some, values);
        };
        decoder.fill(into, from * columns);
    }

    @Override
    @Nullable
    AffineCodes affine(long from, long count) {
        return isAffine() ? groups(from, count) : null;
    }

    private boolean isAffine() {
        return ggml == GgmlType.Q4_0 || ggml == GgmlType.Q4_1;
    }

    /** A block is a scale d, with Q4_1 the least value m, and 16 bytes: codes of the first half in their lower bits, of the second above. */
    private AffineCodes groups(long from, long count) {
        long groups = columns / ggml.blockElements();
        Tensor some = blocks.view(rows, groups, ggml.blockBytes()).narrow(0, from, count);
        Tensor scales = half(some, 0);
        Tensor biases = ggml == GgmlType.Q4_0 ? scales.mul(new Scalar(-8.0)) : half(some, 1);
        Tensor codes = some.narrow(2, ggml.blockBytes() - 16L, 16);
        return new AffineCodes(AffineCodes.unpacked(codes, 2).view(count, columns), scales, biases);
    }

    private static Tensor half(Tensor blocks, long index) {
        return blocks.narrow(2, 2 * index, 2)
                .contiguous()
                .view(ScalarType.Half)
                .squeeze(2)
                .to(ScalarType.Float);
    }
}
