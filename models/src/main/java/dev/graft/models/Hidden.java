package dev.graft.models;

import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * What a backbone gives.
 *
 * @param last the hidden states after the last layer and its norm, {@code [batch, prompt + seq, hidden]}
 * @param mask {@code [batch, prompt + seq]} int64
 * @param prompt the number of prompt rows put before the tokens
 * @param all the embeddings and every layer's output (the last one after the final norm), if the pass asked for them
 */
public record Hidden(Tensor last, Tensor mask, long prompt, List<Tensor> all) {}
