package dev.graft.models.forward;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The distribution of a batch over the mixtures of experts in a pass, and the loss that balances it (Fedus et al.,
 * 2021).
 */
public final class LoadBalance {
    private final ForwardContext context;
    private final List<Routing> mixtures = new ArrayList<>();

    LoadBalance(ForwardContext context) {
        this.context = context;
    }

    void add(Routing routing) {
        // It outlives the layer that it was made in.
        routing.logits().retainReference();
        mixtures.add(routing);
    }

    /**
     * The number of times that each expert was chosen.
     *
     * @param choices {@code [experts]}, summed over all mixtures
     * @param rows the number of positions that chose, summed over all mixtures, without padding
     */
    @SuppressWarnings("ArrayRecordComponent") // made once for one step, never shared
    public record Load(double[] choices, double rows) {
        /** Returns the combined load of two parts of a batch. */
        public Load plus(Load other) {
            double[] sum = choices.clone();
            for (int expert = 0; expert < sum.length; expert++) {
                sum[expert] += other.choices[expert];
            }
            return new Load(sum, rows + other.rows);
        }
    }

    /** The load so far, or null if no mixture has a load-balance loss. */
    public @Nullable Load load() {
        if (mixtures.isEmpty()) {
            return null;
        }
        Tensor counted = counted();
        Tensor choices = Tensors.zeros(counted.scalar_type(), experts());
        for (Routing routing : mixtures) {
            Tensor places = routing.logits().topk(routing.topK()).get1();
            Tensor hits = Tensors.zeros(counted.scalar_type(), Tensors.shape(routing.logits()))
                    .scatter(1, places, new Scalar(1.0));
            choices = choices.add(Ops.sum(hits.mul(counted), 0, false));
        }
        return new Load(Tensors.doubles(choices), Tensors.item(counted.sum()) * mixtures.size());
    }

    /** The loss of this pass, or null if no mixture has one. */
    public @Nullable Tensor loss() {
        Load load = load();
        return load == null ? null : loss(load);
    }

    /**
     * Returns {@code weight · E · Σ_e f_e p_e} over all mixtures, of which there must be one. f_e is the share of choices for expert e, and p_e
     * its mean probability, both per position without padding. The losses of parts of a batch, each with the load of the whole batch, add up to
     * the loss of the batch.
     *
     * @param load the load of this pass, or of the batch that it is a part of
     */
    public Tensor loss(Load load) {
        Tensor counted = counted();
        Tensor probabilities = Tensors.zeros(counted.scalar_type(), experts());
        for (Routing routing : mixtures) {
            Tensor p = routing.logits().softmax(-1);
            probabilities = probabilities.add(Ops.sum(p.mul(counted), 0, false));
        }
        float[] chosen = new float[load.choices.length];
        for (int expert = 0; expert < chosen.length; expert++) {
            chosen[expert] = (float) (load.choices[expert] / load.rows);
        }
        Tensor choices = Ops.to(Tensors.of(chosen, experts()), counted.scalar_type());
        Tensor loss = choices.mul(probabilities).sum();
        return Ops.scale(loss, mixtures.get(0).weight() * experts() / load.rows);
    }

    private long experts() {
        return mixtures.get(0).logits().size(1);
    }

    /** 1 for each position that isn't padding, {@code [batch · seq, 1]}. */
    private Tensor counted() {
        return Ops.to(context.mask().reshape(-1, 1), mixtures.get(0).logits().scalar_type());
    }
}
