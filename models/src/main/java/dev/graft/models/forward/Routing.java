package dev.graft.models.forward;

import org.bytedeco.pytorch.Tensor;

/**
 * The router outputs of one mixture of experts for the positions of a batch.
 *
 * @param logits {@code [batch · seq, experts]}
 * @param topK the number of experts per position
 * @param weight the weight of the load-balance loss
 */
public record Routing(Tensor logits, int topK, double weight) {}
