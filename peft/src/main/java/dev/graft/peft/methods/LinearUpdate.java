package dev.graft.peft.methods;

import dev.graft.models.Pass;
import dev.graft.peft.Effect;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** An update given by its answer to an input. It is linear, so ΔW is its answers to the rows of the identity. */
interface LinearUpdate extends Effect.Delta {
    /** {@code [..., in]} to {@code [..., out]}, in the type of x. */
    Tensor answer(Tensor x);

    /** The number of inputs. */
    long in();

    /** The type of the parameters. */
    ScalarType type();

    /** The probability that an input is dropped in training. */
    double dropout();

    @Override
    default Tensor apply(Tensor x, Pass pass) {
        return answer(Ops.dropout(x, dropout(), pass.isTraining()));
    }

    @Override
    default Tensor weight() {
        return answer(Tensors.ones(type(), in()).diag()).t();
    }

    /** x with its last dimension cut into pieces of a size, {@code [..., pieces, size]}. */
    static Tensor pieces(Tensor x, long size) {
        return x.unflatten(-1, new long[] {x.size(-1) / size, size});
    }

    /** x with zeros at the end of its last dimension, so that pieces of the size fill it. */
    static Tensor padded(Tensor x, long size) {
        long missing = (size - x.size(-1) % size) % size;
        return missing == 0 ? x : torch.pad(x, 0, missing);
    }
}
