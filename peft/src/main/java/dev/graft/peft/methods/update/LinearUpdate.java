package dev.graft.peft.methods.update;

import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** An update defined by its output for an input. It is linear, so ΔW is its outputs for the rows of the identity. */
interface LinearUpdate extends Effect.Delta {
    /** Returns the update's output {@code [..., out]} for x {@code [..., in]}, in the type of x. */
    Tensor transform(Tensor x);

    /** The number of inputs. */
    long in();

    /** The type of the parameters. */
    ScalarType type();

    /** The probability that an input is dropped in training. */
    double dropout();

    @Override
    default Tensor apply(Tensor x, PassView pass) {
        return transform(Dropout.apply(x, dropout(), pass.isTraining()));
    }

    @Override
    default Tensor weight() {
        return transform(Tensors.ones(type(), in()).diag()).t();
    }

    /** Returns x with its last dimension split into parts of a size, {@code [..., parts, size]}. */
    static Tensor chunks(Tensor x, long size) {
        return x.unflatten(-1, new long[] {x.size(-1) / size, size});
    }

    /** Returns x padded with zeros at the end of its last dimension to a multiple of the size. */
    static Tensor padded(Tensor x, long size) {
        long missing = (size - x.size(-1) % size) % size;
        return missing == 0 ? x : torch.pad(x, 0, missing);
    }
}
