package dev.graft.peft.methods.bottleneck;

import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/** One of the two maps of a bottleneck. */
interface BottleneckProjection {
    /** x {@code [..., in]} to {@code [..., out]}. */
    Tensor apply(Tensor x);

    /** {@code W x + b}. */
    record Dense(Tensor weight, Tensor bias) implements BottleneckProjection {
        @Override
        public Tensor apply(Tensor x) {
            return Ops.linear(x, weight, bias);
        }
    }
}
