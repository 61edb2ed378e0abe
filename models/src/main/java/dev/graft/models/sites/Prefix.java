package dev.graft.models.sites;

import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values put before an attention layer's own.
 *
 * @param keyValues gives {@code [2, batch, heads, prefix, headDim]}: keys, then values
 * @param mask {@code [batch, prefix]} int64, 0 where a row has no such entry
 * @param shift {@code [batch]} int64: by how much the positions of the row's own tokens move
 */
public record Prefix(Supplier<Tensor> keyValues, Tensor mask, Tensor shift) {
    public long length() {
        return mask.size(1);
    }
}
