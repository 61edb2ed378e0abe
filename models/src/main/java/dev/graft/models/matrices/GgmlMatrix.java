package dev.graft.models.matrices;

import dev.graft.formats.GgmlType;
import dev.graft.formats.InputException;
import java.util.List;
import java.util.Locale;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The blocks of a GGUF file as they are in it.
 *
 * @param blocks uint8, row by row
 */
public record GgmlMatrix(GgmlType ggml, long rows, long columns, ScalarType type, Tensor blocks) implements Quantized {
    @Override
    public String kind() {
        return ggml.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Quantized again(Tensor values) {
        throw new InputException(kind() + " is only read, not written: dequantise, or load the base with quantization"
                + " nf4, fp4 or int8");
    }

    @Override
    public List<Tensor> parts() {
        return List.of(blocks);
    }

    @Override
    public long step() {
        return 1;
    }

    @Override
    public void decode(long from, Tensor into) {
        Floats decoder = (first, count, values) -> {
            byte[] some = new byte[count / ggml.blockElements() * ggml.blockBytes()];
            new BytePointer(blocks.data_ptr())
                    .position(first / ggml.blockElements() * ggml.blockBytes())
                    .get(some);
            ggml.decode(some, values);
        };
        decoder.fill(into, from * columns);
    }
}
