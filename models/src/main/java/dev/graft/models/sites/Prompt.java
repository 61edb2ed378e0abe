package dev.graft.models.sites;

import org.bytedeco.pytorch.Tensor;

/**
 * Rows of input embeddings put before those of the tokens.
 *
 * @param rows {@code [batch, prompt, hidden]}
 * @param mask {@code [batch, prompt]} int64, 0 where a row has no such entry
 */
public record Prompt(Tensor rows, Tensor mask) {
    public long length() {
        return mask.size(1);
    }
}
