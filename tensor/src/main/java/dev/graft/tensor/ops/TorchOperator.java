package dev.graft.tensor.ops;

import dev.graft.tensor.Scope;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Operators of libtorch that the Java bindings lack, called by name. */
final class TorchOperator {
    private static final TorchOperator SOFTMAX_BACKWARD = new TorchOperator("aten::_softmax_backward_data");

    private static final TorchOperator LINEAR_PLUS = new TorchOperator("mkldnn::_linear_pointwise", "binary");

    private static final TorchOperator INT4_PACK = new TorchOperator("aten::_convert_weight_to_int4pack_for_cpu");
    private static final TorchOperator INT4_PRODUCT = new TorchOperator("aten::_weight_int4pack_mm_for_cpu");
    private static final TorchOperator INT8_PRODUCT = new TorchOperator("aten::_weight_int8pack_mm");

    // Made once: each takes longer than a small product.
    private static final IValue NOTHING = kept(new IValue());
    private static final IValue ADD = kept(new IValue("add"));

    private final OperatorHandle handle;

    private TorchOperator(String name) {
        this(name, "");
    }

    private TorchOperator(String name, String overload) {
        handle = Dispatcher.singleton().findSchemaOrThrow(name, overload);
        handle.retainReference();
    }

    /** {@code P ⊙ (dP - Σ P ⊙ dP)} over the last dimension, with sums in fp32. */
    static Tensor softmaxBackward(Tensor gradient, Tensor probabilities) {
        ScalarType type = probabilities.scalar_type();
        return SOFTMAX_BACKWARD.call(
                new IValue(gradient), new IValue(probabilities), new IValue(-1L), new IValue((long) type.value));
    }

    /**
     * {@code sum + x Wᵀ + b} without a gradient, rounded once.
     *
     * @param sum in the shape of the result
     */
    static Tensor linearPlus(Tensor sum, Tensor x, Tensor matrix, @Nullable Tensor bias) {
        return LINEAR_PLUS.call(new IValue(x), new IValue(sum.contiguous()), new IValue(matrix), optional(bias), ADD);
    }

    private static IValue optional(@Nullable Tensor tensor) {
        return tensor == null ? NOTHING : new IValue(tensor);
    }

    /** Packs codes from 0 to 15, int32 {@code [out, in]}, for {@link #int4Product}. */
    static Tensor int4Packed(Tensor codes) {
        return INT4_PACK.call(new IValue(codes), new IValue(1L));
    }

    /**
     * {@code x Wᵀ} in bf16, with sums in fp32.
     *
     * @param x bf16 {@code [n, in]}
     * @param codes as {@link #int4Packed} returns them
     * @param scalesAndZeros bf16 {@code [in / group, out, 2]}: W is {@code scale · (code - 8) + zero}
     */
    static Tensor int4Product(Tensor x, Tensor codes, long group, Tensor scalesAndZeros) {
        return INT4_PRODUCT.call(new IValue(x), new IValue(codes), new IValue(group), new IValue(scalesAndZeros));
    }

    /**
     * {@code x Wᵀ} in bf16, with sums in fp32.
     *
     * @param x bf16 {@code [n, in]}
     * @param codes int8 {@code [out, in]}
     * @param scales bf16 {@code [out]}
     */
    static Tensor int8Product(Tensor x, Tensor codes, Tensor scales) {
        return INT8_PRODUCT.call(new IValue(x), new IValue(codes), new IValue(scales));
    }

    /** Outlives the scope that it happens to be made in. */
    private static IValue kept(IValue value) {
        value.retainReference();
        return value;
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
