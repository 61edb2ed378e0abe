package dev.graft.models;

import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a backbone gives.
 *
 * @param last the hidden states after the last layer and its norm, {@code [batch, prompt + seq, hidden]}
 * @param mask {@code [batch, prompt + seq]} int64
 * @param prompt the number of prompt rows put before the tokens
 * @param all the embeddings and every layer's output (the last one after the final norm), if the pass asked for them
 * @param images of a dual encoder, the images in the space where texts and images meet, {@code [images, projected]}, each of length 1;
 *     {@code last} are the texts {@code [texts, 1, projected]}. Null for other models.
 */
public record Hidden(
        Tensor last,
        Tensor mask,
        long prompt,
        List<Tensor> all,
        @Nullable Tensor images) {
    /** Hidden states of a model that isn't a dual encoder. */
    public Hidden(Tensor last, Tensor mask, long prompt, List<Tensor> all) {
        this(last, mask, prompt, all, null);
    }
}
