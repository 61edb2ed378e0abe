package dev.graft.models;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
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
     * How often each expert was chosen.
     *
     * @param choices {@code [experts]}, of all mixtures together
     * @param rows the positions that chose, one for each mixture, without padding
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
    public record Load(double[] choices, double rows) {
        /** Of two parts of a batch together. */
        public Load plus(Load other) {
            double[] sum = choices.clone();
            for (int expert = 0; expert < sum.length; expert++) {
                sum[expert] += other.choices[expert];
            }
            return new Load(sum, rows + other.rows);
        }
    }

    /** @param mask {@code [batch, seq]} int64 */
    static Load load(List<Routing> mixtures, Tensor mask) {
        Tensor logits = mixtures.get(0).logits;
        Tensor counted = Ops.to(mask.reshape(-1, 1), logits.scalar_type());
        Tensor choices = Tensors.zeros(counted.scalar_type(), logits.size(1));
        for (Routing mixture : mixtures) {
            Tensor places = mixture.logits.topk(mixture.chosen).get1();
            Tensor hits = Tensors.zeros(counted.scalar_type(), Tensors.shape(mixture.logits))
                    .scatter(1, places, new Scalar(1.0));
            choices = choices.add(Ops.sum(hits.mul(counted), 0, false));
        }
        return new Load(Tensors.doubles(choices), Tensors.item(counted.sum()) * mixtures.size());
    }

    /**
     * The load-balance loss (Fedus et al., 2021) over all mixtures, {@code weight · E · Σ_e f_e p_e}: f_e is how many of the choices fall on
     * expert e and p_e its mean probability, both per position that isn't padding. What several parts of a batch give for the load of them
     * all adds up to what the batch gives.
     *
     * @param mask {@code [batch, seq]} int64
     * @param load of this pass, or of the batch that it is a part of
     */
    static Tensor loss(List<Routing> mixtures, Tensor mask, Load load) {
        Routing first = mixtures.get(0);
        long experts = first.logits.size(1);
        Tensor counted = Ops.to(mask.reshape(-1, 1), first.logits.scalar_type());
        Tensor probabilities = Tensors.zeros(counted.scalar_type(), experts);
        for (Routing mixture : mixtures) {
            Tensor p = mixture.logits.softmax(-1);
            probabilities = probabilities.add(Ops.sum(p.mul(counted), 0, false));
        }
        float[] chosen = new float[load.choices.length];
        for (int expert = 0; expert < chosen.length; expert++) {
            chosen[expert] = (float) (load.choices[expert] / load.rows);
        }
        Tensor choices = Ops.to(Tensors.of(chosen, experts), counted.scalar_type());
        Tensor loss = choices.mul(probabilities).sum();
        return Ops.scale(loss, first.weight * experts / load.rows);
    }
}
