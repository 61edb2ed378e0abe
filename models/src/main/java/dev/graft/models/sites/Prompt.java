package dev.graft.models.sites;

import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * Rows of input embeddings put before those of the tokens.
 *
 * @param rows {@code [batch, prompt, hidden]}
 * @param mask {@code [batch, prompt]} int64, 0 where a row has no such entry
 * @param targets what should be predicted at them
 */
public record Prompt(Tensor rows, Tensor mask, PromptTargets targets) {
    /** Rows at which nothing is predicted. */
    public Prompt(Tensor rows, Tensor mask) {
        this(rows, mask, PromptTargets.none(Math.toIntExact(mask.numel())));
    }

    public long length() {
        return mask.size(1);
    }

    /** How many entries each row lacks: {@code [batch]} int64. They are its first ones. */
    public Tensor missing() {
        return Ops.plusLong(Ops.sum(mask, 1, false).neg(), length());
    }
}
