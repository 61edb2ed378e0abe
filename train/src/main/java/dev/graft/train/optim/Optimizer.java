package dev.graft.train.optim;

import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** Changes parameters by their gradients. */
public sealed interface Optimizer permits AdamW, Sgd {
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
