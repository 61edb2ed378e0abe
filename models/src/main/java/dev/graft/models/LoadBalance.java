package dev.graft.models;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** How the mixtures of experts that a pass has run spread its batch, and the loss that balances them (Fedus et al., 2021). */
public final class LoadBalance {
    private final Context context;
    private final List<Routing> mixtures = new ArrayList<>();

    LoadBalance(Context context) {
        this.context = context;
    }

    void add(Routing routing) {
        // It outlives the layer that it was made in.
        routing.logits().retainReference();
        mixtures.add(routing);
    }

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

    /** How often each expert was chosen so far, or null where no mixture wants that balanced. */
    public @Nullable Load load() {
        if (mixtures.isEmpty()) {
            return null;
        }
        Tensor counted = counted();
        Tensor choices = Tensors.zeros(counted.scalar_type(), experts());
        for (Routing mixture : mixtures) {
            Tensor places = mixture.logits().topk(mixture.chosen()).get1();
            Tensor hits = Tensors.zeros(counted.scalar_type(), Tensors.shape(mixture.logits()))
                    .scatter(1, places, new Scalar(1.0));
            choices = choices.add(Ops.sum(hits.mul(counted), 0, false));
        }
        return new Load(Tensors.doubles(choices), Tensors.item(counted.sum()) * mixtures.size());
    }

    /** The loss of this pass, or null where no mixture wants it. */
    public @Nullable Tensor loss() {
        Load load = load();
        return load == null ? null : loss(load);
    }

    /**
     * {@code weight · E · Σ_e f_e p_e} over all mixtures, of which there must be some: f_e is how many of the choices fall on expert e and p_e
     * its mean probability, both per position that isn't padding. What several parts of a batch give for the load of them all adds up to
     * what the batch gives.
     *
     * @param load of this pass, or of the batch that it is a part of
     */
    public Tensor loss(Load load) {
        Tensor counted = counted();
        Tensor probabilities = Tensors.zeros(counted.scalar_type(), experts());
        for (Routing mixture : mixtures) {
            Tensor p = mixture.logits().softmax(-1);
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
