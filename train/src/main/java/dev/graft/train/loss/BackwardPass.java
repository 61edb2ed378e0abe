package dev.graft.train.loss;

import dev.graft.models.forward.ForwardPass;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;

/** Backward passes. */
final class BackwardPass {
    private BackwardPass() {}

    /** From a loss {@code sum / divisor} that autograd knows. */
    static Loss run(Supplier<ForwardPass> passes, Function<ForwardPass, Tensor> sum, double divisor, long terms) {
        try (Scope scope = new Scope()) {
            ForwardPass pass = passes.get();
            Tensor loss = sum.apply(pass);
            Ops.scale(loss, 1 / divisor).backward();
            pass.backward();
            return new Loss(Tensors.item(loss), terms);
        }
    }

    /** From a tensor whose gradient is known. */
    static void from(Tensor tensor, Tensor gradient) {
        tensor.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
    }
}
