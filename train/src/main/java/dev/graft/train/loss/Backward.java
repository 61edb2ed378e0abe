package dev.graft.train.loss;

import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;

/** Starts a backward pass from a tensor whose gradient is known. */
final class Backward {
    private Backward() {}

    static void from(Tensor tensor, Tensor gradient) {
        tensor.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
    }
}
