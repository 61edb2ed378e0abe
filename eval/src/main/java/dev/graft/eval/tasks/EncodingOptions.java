package dev.graft.eval.tasks;

import dev.graft.train.data.LossOn;
import dev.graft.train.data.QuestionAnsweringEncoder;

/**
 * The options for encoding rows.
 *
 * @param lossOn the tokens that the loss of a causal model counts
 * @param stride the overlap in tokens of the windows of a long context, in extractive question answering
 * @param maskShare the share of tokens to mask, in masked language modelling
 * @param seed the seed of the masks
 */
public record EncodingOptions(LossOn lossOn, int stride, double maskShare, long seed) {
    /** The share of tokens that are masked, as is usual for BERT. */
    public static final double MASK_SHARE = 0.15;

    /** Returns the usual options. */
    public static EncodingOptions of(LossOn lossOn) {
        return new EncodingOptions(lossOn, QuestionAnsweringEncoder.STRIDE, MASK_SHARE, 42);
    }
}
