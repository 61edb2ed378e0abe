package dev.graft.models;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * How the router of one mixture of experts spread the positions of a batch.
 *
 * @param logits {@code [batch · seq, experts]}
 * @param chosen how many experts answer for a position
 * @param weight of the load-balance loss
 */
public record Routing(Tensor logits, int chosen, double weight) {
    /**
     * The load-balance loss (Fedus et al., 2021) over all mixtures, {@code weight · E · Σ_e f_e p_e}: f_e is how many of the choices fall on
     * expert e and p_e its mean probability, both per position that isn't padding.
     *
     * @param mask {@code [batch, seq]} int64
     */
    static Tensor loss(List<Routing> mixtures, Tensor mask) {
        Routing first = mixtures.get(0);
        long experts = first.logits.size(1);
        Tensor counted = Ops.to(mask.reshape(-1, 1), first.logits.scalar_type());
        Tensor choices = Tensors.zeros(counted.scalar_type(), experts);
        Tensor probabilities = Tensors.zeros(counted.scalar_type(), experts);
        for (Routing mixture : mixtures) {
            Tensor p = mixture.logits.softmax(-1);
            Tensor places = p.topk(mixture.chosen).get1();
            Tensor hits = Tensors.zeros(counted.scalar_type(), Tensors.shape(p))
                    .scatter(1, places, new org.bytedeco.pytorch.Scalar(1.0));
            choices = choices.add(Ops.sum(hits.mul(counted), 0, false));
            probabilities = probabilities.add(Ops.sum(p.mul(counted), 0, false));
        }
        Tensor rows = Ops.scale(counted.sum(), mixtures.size());
        Tensor loss = choices.div(rows).mul(probabilities.div(rows)).sum();
        return Ops.scale(loss, first.weight * experts);
    }
}
