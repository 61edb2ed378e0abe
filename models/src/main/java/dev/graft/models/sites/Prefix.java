package dev.graft.models.sites;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values before an attention layer's own.
 *
 * @param keyValues returns {@code [2, batch, heads, prefix, headDim]}: keys, then values
 * @param mask {@code [batch, prefix]} int64, 0 for missing entries of a row
 * @param shift {@code [batch]} int64: the distance by which the positions of the row's own tokens move
 */
public record Prefix(Supplier<Tensor> keyValues, Tensor mask, Tensor shift) {
    public long length() {
        return mask.size(1);
    }
}
