package dev.graft.train.optim;

import dev.graft.formats.InputException;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.bytedeco.pytorch.Tensor;

/** An optimiser: updates trained parameters by their gradients. */
public interface Optimizer {
    /** Settings of an optimiser, and the factory for it. */
    interface Settings {
        /** Creates an optimiser for these parameters. */
        Optimizer of(FlatParameters parameters);

        /**
         * Returns the bytes of its state between steps.
         *
         * @param values the number of fp32 values
         */
        long stateBytes(long values);

        /**
         * Returns the bytes that a step needs temporarily: two copies of all values, fewer if the step works part by part.
         */
        default long stepBytes(long values) {
            return 2L * Float.BYTES * values;
        }
    }

    /** Returns the parameters that it changes. */
    FlatParameters parameters();

    /** Runs one step at this learning rate. */
    void step(double learningRate);

    /**
     * Runs one step of an optimiser that may evaluate the loss at other points.
     *
     * @param loss the loss at the present values, whose gradients are present
     * @param again computes the gradients of the same rows at the then present values, and returns their loss
     */
    default void step(double learningRate, double loss, DoubleSupplier again) {
        step(learningRate);
    }

    /** Returns the number of steps done. */
    long steps();

    /** Returns its state between steps, which a checkpoint saves. */
    Map<String, Tensor> state();

    /** Restores a saved state. */
    void restore(long steps, Map<String, Tensor> state);

    /** Copies a saved tensor of this name into another one. */
    static void copy(Map<String, Tensor> state, String name, Tensor into) {
        Tensor saved = state.get(name);
        if (saved == null || !Arrays.equals(Tensors.shape(saved), Tensors.shape(into))) {
            throw new IllegalArgumentException(
                    "the saved optimiser has no " + name + " of shape " + Arrays.toString(Tensors.shape(into)));
        }
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            into.copy_(saved);
        }
    }

    /**
     * Checks a setting.
     *
     * @throws InputException naming the setting and the expected values if it isn't good
     */
    static void require(String name, double value, boolean good, String expected) {
        if (!good) {
            throw new InputException(name + " is " + value + ", expected " + expected);
        }
    }
}
