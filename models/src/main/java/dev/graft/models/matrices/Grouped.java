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
 * Four bits to a value and, for each group of neighbours in a row, a scale and a bias: {@code w = scale · code + bias}, as MLX packs them. The
 * bias takes up what is added to a whole group, so QA-LoRA merges into it and no code changes.
 */
public final class Grouped extends Quantized {
    /** The group of QA-LoRA. */
    public static final int GROUP = 32;

    private final ScalarType type;
    private final Tensor codes;
    private final Tensor scales;
    private final Tensor biases;

    /**
     * A matrix for products in that type.
     *
     * @param codes uint8 {@code [rows, columns / 2]}, two codes each, the earlier one in the lower half
     * @param scales fp32 {@code [rows, columns / group]}
     * @param biases fp32 {@code [rows, columns / group]}
     */
    public Grouped(ScalarType type, Tensor codes, Tensor scales, Tensor biases) {
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

    @Override
    public ScalarType type() {
        return type;
    }

    /** As in the constructor. */
    public Tensor codes() {
        return codes;
    }

    /** As in the constructor. */
    public Tensor scales() {
        return scales;
    }

    /** As in the constructor. */
    public Tensor biases() {
        return biases;
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
        AffineCodes.decode(this::affine, from, into);
    }

    @Override
    AffineCodes affine(long from, long count) {
        Tensor some = AffineCodes.unpacked(codes.narrow(0, from, count), 2);
        return new AffineCodes(
                some.view(count, columns()), scales.narrow(0, from, count), biases.narrow(0, from, count));
    }
}
