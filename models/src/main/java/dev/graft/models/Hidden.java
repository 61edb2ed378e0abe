package dev.graft.models;

import dev.graft.tensor.Scope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a backbone gives.
 *
 * @param last the hidden states after the last layer and its norm, {@code [batch, prompt + seq, hidden]}
 * @param mask {@code [batch, prompt + seq]} int64
 * @param prompt the number of prompt rows put before the tokens
 * @param begins where each row begins, padding of its text included, {@code [batch]} int64; null where it begins with its prompt, or else
 *     with its text
 * @param all the embeddings and every layer's output (the last one after the final norm), if the pass asked for them
 * @param images of a dual encoder, the images in the space where texts and images meet, {@code [images, projected]}, each of length 1;
 *     {@code last} are the texts {@code [texts, 1, projected]}. Null for other models.
 */
public record Hidden(
        Tensor last,
        Tensor mask,
        long prompt,
        @Nullable Tensor begins,
        List<Tensor> all,
        @Nullable Tensor images) {
    /** Hidden states of a model that isn't a dual encoder, with no text around a prompt. */
    public Hidden(Tensor last, Tensor mask, long prompt, List<Tensor> all) {
        this(last, mask, prompt, null, all, null);
    }

    /** The same without {@code all}, which outlives a scope; what it was made of does not. */
    public Hidden keep(Scope scope) {
        return new Hidden(
                scope.keep(last.detach()),
                scope.keep(mask.detach()),
                prompt,
                kept(begins, scope),
                List.of(),
                kept(images, scope));
    }

    /** Values that outlive a scope, wherever they were made. */
    static @Nullable Tensor kept(@Nullable Tensor values, Scope scope) {
        return values == null ? null : scope.keep(values.detach());
    }
}
