package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;

/**
 * Keys and values put before an attention layer's own.
 *
 * @param keys {@code [batch, heads, prefix, headDim]}
 * @param values {@code [batch, heads, prefix, headDim]}
 * @param mask {@code [batch, prefix]} int64, 0 where a row has no such entry
 * @param shift {@code [batch]} int64: by how much the positions of the row's own tokens move
 */
public record Prefix(Tensor keys, Tensor values, Tensor mask, Tensor shift) {
    public long length() {
        return mask.size(1);
    }
}
