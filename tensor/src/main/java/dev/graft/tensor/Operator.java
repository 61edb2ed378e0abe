package dev.graft.tensor;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Operators of libtorch that the Java bindings leave out, called by name. */
final class Operator {
    private static final Operator SOFTMAX_BACKWARD = new Operator("aten::_softmax_backward_data");

    private final OperatorHandle handle;

    private Operator(String name) {
        handle = Dispatcher.singleton().findSchemaOrThrow(name, "");
        handle.retainReference(); // outlives the scope it happens to be made in
    }

    /** {@code P ⊙ (dP - Σ P ⊙ dP)} over the last dimension, with sums in fp32. */
    static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        ScalarType type = probabilities.scalar_type();
        return SOFTMAX_BACKWARD.call(
                new IValue(gradient), new IValue(probabilities), new IValue(-1L), new IValue((long) type.value));
    }

    private Tensor call(IValue... arguments) {
        try (Scope scope = new Scope();
                IValueVector stack = new IValueVector()) {
            for (IValue argument : arguments) {
                stack.push_back(argument);
            }
            handle.callBoxed(stack);
            return scope.keep(new Tensor(stack.get(0).toTensor()));
        }
    }
}
