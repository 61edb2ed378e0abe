package dev.graft.models.matrices;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Rows of a matrix with the values {@code scale · code + bias}; a group of neighbours in a row shares scale and bias.
 *
 * @param codes uint8 from 0 to 15, {@code [rows, columns]}
 * @param scales fp32 {@code [rows, columns / group]}
 * @param biases fp32 {@code [rows, columns / group]}
 */
record AffineCodes(Tensor codes, Tensor scales, Tensor biases) {
    /** The values that are made at a time: what that takes stays in the processor's cache. */
    private static final int PIECE = 1 << 19;

    /** Some rows of a matrix. */
    @FunctionalInterface
    interface Rows {
        AffineCodes of(long from, long count);
    }

    /**
     * Unpacks two codes per byte, {@code [..., n]}, to {@code [..., n, 2]} or {@code [..., 2, n]}: the lower halves, then the upper ones.
     */
    static Tensor unpacked(Tensor bytes, long dim) {
        Tensor lower = bytes.bitwise_and(new Scalar(15L));
        Tensor upper = bytes.__rshift__(new Scalar(4L));
        return torch.stack(new TensorVector(lower, upper), dim);
    }

    /** Stacks matrices with groups of one length. */
    static AffineCodes under(List<AffineCodes> matrices) {
        return matrices.size() == 1
                ? matrices.get(0)
                : new AffineCodes(
                        Ops.cat(0, matrices.stream().map(AffineCodes::codes).toArray(Tensor[]::new)),
                        Ops.cat(0, matrices.stream().map(AffineCodes::scales).toArray(Tensor[]::new)),
                        Ops.cat(0, matrices.stream().map(AffineCodes::biases).toArray(Tensor[]::new)));
    }

    /** The number of values that share a scale and a bias. */
    long group() {
        return codes.size(1) / scales.size(1);
    }

    /** Writes values {@code [n, columns]} to a contiguous tensor, starting at a row. */
    static void decode(Rows rows, long from, Tensor into) {
        long piece = Math.max(1, PIECE / into.size(1));
        for (long at = 0; at < into.size(0); at += piece) {
            long count = Math.min(piece, into.size(0) - at);
            try (Scope scope = new Scope()) {
                AffineCodes some = rows.of(from + at, count);
                long[] groups = {count, some.scales.size(1), some.group()};
                Tensor values = some.codes.view(groups).to(ScalarType.Float);
                values.mul_(some.scales.unsqueeze(2)).add_(some.biases.unsqueeze(2));
                into.narrow(0, at, count).copy_(values.view(Tensors.shape(some.codes)));
            }
        }
    }
}
