package dev.graft.train.optim;

import dev.graft.formats.InputException;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.bytedeco.pytorch.Tensor;

/** Changes parameters by their gradients. */
public sealed interface Optimizer permits Adafactor, AdamW, AdamW8bit, Lbfgs, Lion, Riemannian, Sgd {
    /** Which optimiser, and its settings. */
    sealed interface Settings
            permits Adafactor.Settings,
                    AdamW.Settings,
                    AdamW8bit.Settings,
                    Lbfgs.Settings,
                    Lion.Settings,
                    Riemannian.Settings,
                    Sgd.Settings {
        /** A new optimiser of these parameters. */
        Optimizer of(FlatParameters parameters);

        /** What it remembers between steps, in bytes, for parameters of fp32 with so many values. */
        long stateBytes(long values);

        /** What a step makes on its way and gives back, in bytes: two more of all values, but for those that work part by part. */
        default long stepBytes(long values) {
            return 2L * Float.BYTES * values;
        }
    }

    /** What weight decay acts on. */
    enum Decay {
        /** Every parameter, as PyTorch's optimisers do. */
        ALL,
        /** Matrices, but no biases, norm weights or other vectors, as trainers of transformers do. */
        MATRICES
    }

    /** The parameters it changes. */
    FlatParameters parameters();

    /** One step at this learning rate. */
    void step(double learningRate);

    /**
     * One step of an optimiser that may look at other points.
     *
     * @param loss at the present values, of which the gradients are formed
     * @param again forms the gradients of the same rows at other values, and gives their loss
     */
    default void step(double learningRate, double loss, DoubleSupplier again) {
        step(learningRate);
    }

    /** Steps done. */
    long steps();

    /** What it remembers between steps: to be saved with a checkpoint. */
    Map<String, Tensor> state();

    /** Goes on from a saved state. */
    void restore(long steps, Map<String, Tensor> state);

    /** Puts a saved tensor in its place. */
    static void copy(Map<String, Tensor> state, String name, Tensor into) {
        Tensor saved = state.get(name);
        if (saved == null || !Arrays.equals(Tensors.shape(saved), Tensors.shape(into))) {
            throw new IllegalArgumentException(
                    "the saved optimiser has no " + name + " of shape " + Arrays.toString(Tensors.shape(into)));
        }
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            into.copy_(saved);
        }
    }

    /** @throws InputException naming the setting if it isn't good */
    static void require(String name, double value, boolean good, String expected) {
        if (!good) {
            throw new InputException(name + " is " + value + ", expected " + expected);
        }
    }
}
