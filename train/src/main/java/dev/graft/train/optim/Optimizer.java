package dev.graft.train.optim;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Changes parameters by their gradients. */
public sealed interface Optimizer permits AdamW, Sgd {
    /** Which optimiser, and its settings. */
    sealed interface Settings permits AdamW.Settings, Sgd.Settings {
        /** A new optimiser of these parameters. */
        Optimizer of(FlatParameters parameters);
    }

    /** What weight decay acts on. */
    enum Decay {
        /** Every parameter, as PyTorch's optimisers do. */
        ALL,
        /** Matrices, but no biases, norm weights or other vectors, as trainers of transformers do. */
        MATRICES;

        Tensor of(FlatParameters.Group group, Tensor vector) {
            return this == ALL ? group.of(vector) : group.matricesOf(vector);
        }
    }

    /** The parameters it changes. */
    FlatParameters parameters();

    /** One step at this learning rate. */
    void step(double learningRate);

    /** Steps done. */
    long steps();

    /** What it remembers between steps, each {@code [count]} over all parameters: to be saved with a checkpoint. */
    Map<String, Tensor> state();

    /** Goes on from a saved state. */
    void restore(long steps, Map<String, Tensor> state);
}
