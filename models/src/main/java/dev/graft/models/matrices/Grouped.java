package dev.graft.models.matrices;

import dev.graft.formats.InputException;
import dev.graft.formats.quantized.AffineGroups;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Four bits to a value and, for each group of neighbours in a row, a scale and a bias: {@code w = scale · code + bias}, as MLX packs them. The
 * bias takes up what is added to a whole group, so QA-LoRA merges into it and no code changes.
 *
 * @param codes uint8 {@code [rows, columns / 2]}, two codes each, the earlier one in the lower half
 * @param scales fp32 {@code [rows, columns / group]}
 * @param biases fp32 {@code [rows, columns / group]}
 */
public record Grouped(ScalarType type, Tensor codes, Tensor scales, Tensor biases) implements Quantized {
    /** The group of QA-LoRA. */
    public static final int GROUP = 32;

    /**
     * Quantises a matrix.
     *
     * @throws InputException if its rows aren't whole groups
     */
    static Grouped of(Tensor values, ScalarType type, int group) {
        long rows = values.size(0);
        long columns = values.size(1);
        if (columns % group != 0) {
            throw new InputException("int4 has groups of " + group
                    + " values in a row, but a matrix of the base has rows of " + columns + "; take nf4 or int8");
        }
        AffineGroups groups = AffineGroups.quantize(Tensors.floats(values), group);
        return new Grouped(
                type,
                Tensors.of(ByteBuffer.wrap(groups.packed()), ScalarType.Byte, rows, columns / 2),
                Tensors.of(groups.scales(), rows, columns / group),
                Tensors.of(groups.biases(), rows, columns / group));
    }

    @Override
    public String kind() {
        return "int4";
    }

    @Override
    public long rows() {
        return codes.size(0);
    }

    @Override
    public long columns() {
        return 2 * codes.size(1);
    }

    /** How many values of a row share a scale and a bias. */
    public int group() {
        return Math.toIntExact(columns() / scales.size(1));
    }

    @Override
    public Quantized again(Tensor values) {
        return Quantization.kept(() -> of(values, type, group()));
    }

    @Override
    public @Nullable Grouped plus(Tensor delta) {
        Tensor groups = Ops.to(delta, ScalarType.Float).reshape(rows(), scales.size(1), group());
        Tensor first = groups.narrow(2, 0, 1);
        return groups.equal(first.expand_as(groups))
                ? new Grouped(type, codes, scales, biases.add(first.squeeze(2)))
                : null;
    }

    @Override
    public List<Tensor> parts() {
        return List.of(codes, scales, biases);
    }

    @Override
    public long step() {
        return 1;
    }

    @Override
    public void decode(long from, Tensor into) {
        Floats decoder = this::floats;
        decoder.fill(into, from * columns());
    }

    private void floats(long first, int count, float[] into) {
        int group = group();
        byte[] packed = new byte[count / 2];
        float[] scale = new float[count / group];
        float[] bias = new float[scale.length];
        new BytePointer(codes.data_ptr()).position(first / 2).get(packed);
        new FloatPointer(scales.data_ptr()).position(first / group).get(scale);
        new FloatPointer(biases.data_ptr()).position(first / group).get(bias);
        for (int g = 0; g < scale.length; g++) {
            for (int i = g * group; i < (g + 1) * group; i += 2) {
                int both = packed[i >> 1];
                into[i] = scale[g] * (both & 15) + bias[g];
                into[i + 1] = scale[g] * (both >> 4 & 15) + bias[g];
            }
        }
    }
}
