package dev.graft.models.matrices;

import dev.graft.formats.InputException;
import dev.graft.formats.quantized.AffineGroups;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A matrix in four bits per value, with a scale and a bias for each group of neighbours in a row, in the packing of MLX:
 * {@code w = scale · code + bias}. QA-LoRA merges into the biases without changing codes, since its update is constant within a group.
 */
public final class GroupedInt4Matrix extends QuantizedMatrix {
    /** The group size of QA-LoRA. */
    public static final int GROUP = 32;

    private final ScalarType type;
    private final Tensor codes;
    private final Tensor scales;
    private final Tensor biases;

    /**
     * Creates a matrix for products in that type.
     *
     * @param codes uint8 {@code [rows, columns / 2]}, two codes each, the earlier one in the lower half
     * @param scales fp32 {@code [rows, columns / group]}
     * @param biases fp32 {@code [rows, columns / group]}
     */
    public GroupedInt4Matrix(ScalarType type, Tensor codes, Tensor scales, Tensor biases) {
        this.type = type;
        this.codes = codes;
        this.scales = scales;
        this.biases = biases;
    }

    /**
     * Quantises a matrix.
     *
     * @throws InputException if its rows aren't whole groups
     */
    static GroupedInt4Matrix of(Tensor values, ScalarType type, int group) {
        long rows = values.size(0);
        long columns = values.size(1);
        if (columns % group != 0) {
            throw new InputException("int4 has groups of " + group
                    + " values in a row, but a matrix of the base has rows of " + columns + "; take nf4 or int8");
        }
        AffineGroups groups = AffineGroups.quantize(Tensors.floats(values), group);
        return new GroupedInt4Matrix(
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

    @Override
    public ScalarType type() {
        return type;
    }

    /** The codes, as in the constructor. */
    public Tensor codes() {
        return codes;
    }

    /** The scales, as in the constructor. */
    public Tensor scales() {
        return scales;
    }

    /** The biases, as in the constructor. */
    public Tensor biases() {
        return biases;
    }

    /** The number of values of a row that share a scale and a bias. */
    public int group() {
        return Math.toIntExact(columns() / scales.size(1));
    }

    @Override
    public QuantizedMatrix requantize(Tensor values) {
        return kept(() -> of(values, type, group()));
    }

    @Override
    public @Nullable GroupedInt4Matrix plus(Tensor delta) {
        Tensor groups = Ops.to(delta, ScalarType.Float).reshape(rows(), scales.size(1), group());
        Tensor first = groups.narrow(2, 0, 1);
        return groups.equal(first.expand_as(groups))
                ? new GroupedInt4Matrix(type, codes, scales, biases.add(first.squeeze(2)))
                : null;
    }

    @Override
    public List<Tensor> parts() {
        return List.of(codes, scales, biases);
    }

    @Override
    public long rowAlignment() {
        return 1;
    }

    @Override
    public void decode(long from, Tensor into) {
        AffineCodes.decode(this::affine, from, into);
    }

    @Override
    AffineCodes affine(long from, long count) {
        Tensor some = AffineCodes.unpacked(codes.narrow(0, from, count), 2);
        return new AffineCodes(
                some.view(count, columns()), scales.narrow(0, from, count), biases.narrow(0, from, count));
    }
}
