package dev.graft.models.heads;

import dev.graft.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The output of a backbone.
 *
 * @param last the hidden states after the last layer and its norm, {@code [batch, prompt + seq, hidden]}
 * @param mask {@code [batch, prompt + seq]} int64
 * @param prompt the number of prompt rows before the tokens
 * @param rowStarts the start of each row, including padding of its text, {@code [batch]} int64; null if rows begin with their prompt, or without
 *     one with their text
 * @param all the embeddings and every layer's output (the last one after the final norm), if the pass collects them
 * @param images the images of a dual encoder, projected to the common space of texts and images, {@code [images, projected]}, each of length 1;
 *     {@code last} are the texts {@code [texts, 1, projected]}. Null for other models.
 */
public record HiddenStates(
        Tensor last,
        Tensor mask,
        long prompt,
        @Nullable Tensor rowStarts,
        List<Tensor> all,
        @Nullable Tensor images) {
    /** Creates the hidden states of a model that isn't a dual encoder, with prompts before their texts. */
    public HiddenStates(Tensor last, Tensor mask, long prompt, List<Tensor> all) {
        this(last, mask, prompt, null, all, null);
    }

    /** Returns a copy without {@code all} that outlives a scope; the tensors it was computed from do not. */
    public HiddenStates keep(Scope scope) {
        return new HiddenStates(
                scope.keep(last.detach()),
                scope.keep(mask.detach()),
                prompt,
                kept(rowStarts, scope),
                List.of(),
                kept(images, scope));
    }

    /** Exempts values from a scope, in which they may or may not have been created. */
    public static @Nullable Tensor kept(@Nullable Tensor values, Scope scope) {
        return values == null ? null : scope.keep(values.detach());
    }
}
