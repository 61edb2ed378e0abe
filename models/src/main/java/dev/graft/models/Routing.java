package dev.graft.models;

import org.bytedeco.pytorch.Tensor;

/**
 * How the router of one mixture of experts spread the positions of a batch.
 *
 * @param logits {@code [batch · seq, experts]}
 * @param chosen how many experts answer for a position
 * @param weight of the load-balance loss
 */
public record Routing(Tensor logits, int chosen, double weight) {}
