package dev.graft.tensor;

import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Operations for models and methods whose signature in libtorch is long-winded. Errors are libtorch's own; {@link TensorException#at} translates
 * them.
 */
public final class Ops {
    static {
        Natives.load();
    }

    private Ops() {}

    /** {@code x Wᵀ + b}: x {@code [..., in]}, weight {@code [out, in]}, bias {@code [out]} or null. */
    public static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias) {
        return torch.linear(x, weight, optional(bias));
    }

    /**
     * A convolution of x {@code [batch, in, size...]} with kernels {@code [out, in / groups, kernel...]} and bias {@code [out]} or null.
     */
    public static Tensor convolution(
            Tensor x,
            Tensor kernels,
            @Nullable Tensor bias,
            long[] stride,
            long[] padding,
            long[] dilation,
            long groups) {
        long[] none = new long[stride.length];
        return torch.convolution(x, kernels, optional(bias), stride, padding, dilation, false, none, groups);
    }

    /**
     * Computes {@code softmax(s · q kᵀ + mask) v}, {@code [batch, heads, queries, d]}, for queries {@code [batch, heads, queries, d]}, keys and
     * values {@code [batch, heads, keys, d]}.
     *
     * @param mask {@code [batch or 1, heads or 1, queries or 1, keys]}, or null for nothing
     */
    public static Tensor attention(Tensor queries, Tensor keys, Tensor values, @Nullable Tensor mask, double scale) {
        return torch.scaled_dot_product_attention(
                queries, keys, values, optional(mask), 0, false, new DoubleOptional(scale), false);
    }

    /** Returns the rows of a table {@code [n, d]} at ids {@code [...]}, as {@code [..., d]}. */
    public static Tensor embedding(Tensor table, Tensor ids) {
        return torch.embedding(table, ids);
    }

    /**
     * Looks up embeddings {@code [..., d]} for ids {@code [...]}. The row of the padding id receives no gradient; -1 for none.
     */
    public static Tensor embedding(Tensor table, Tensor ids, long padding) {
        return torch.embedding(table, ids, padding, false, false);
    }

    /**
     * Returns the layer normalisation over the last dimension, then the mean and 1 / √(variance + ε) of each row for {@link #layerNormBackward}.
     */
    public static Tensor[] layerNormWithStatistics(Tensor x, Tensor weight, @Nullable Tensor bias, double eps) {
        var normed = torch.native_layer_norm(
                x, new long[] {weight.size(0)}, new TensorOptional(weight), optional(bias), eps);
        // Each with a handle of its own: those of the tuple end with it.
        return new Tensor[] {
            normed.get0().detach(), normed.get1().detach(), normed.get2().detach()
        };
    }

    /** Returns the gradient of x, with the statistics from {@link #layerNormWithStatistics}. */
    public static Tensor layerNormBackward(
            Tensor gradient, Tensor x, Tensor weight, @Nullable Tensor bias, Tensor mean, Tensor deviation) {
        try (BoolPointer wanted = new BoolPointer(3)) {
            wanted.put(0, true).put(1, false).put(2, false);
            return torch.native_layer_norm_backward(
                            gradient,
                            x,
                            new long[] {weight.size(0)},
                            mean,
                            deviation,
                            new TensorOptional(weight),
                            optional(bias),
                            wanted)
                    .get0();
        }
    }

    public static Tensor scale(Tensor x, double factor) {
        return x.mul(new Scalar(factor));
    }

    /** {@code a + factor · b}. */
    public static Tensor addScaled(Tensor a, Tensor b, double factor) {
        return a.add(b, new Scalar(factor));
    }

    public static Tensor plus(Tensor x, double value) {
        return x.add(new Scalar(value));
    }

    /** Adds a whole number to an integer tensor. */
    public static Tensor plusLong(Tensor x, long value) {
        return value == 0 ? x : x.add(new Scalar(value));
    }

    public static Tensor sum(Tensor x, long dim, boolean keep) {
        return x.sum(new long[] {dim}, keep, new ScalarTypeOptional());
    }

    public static Tensor mean(Tensor x, long dim, boolean keep) {
        return x.mean(new long[] {dim}, keep, new ScalarTypeOptional());
    }

    /** The Euclidean norm along one dimension. */
    public static Tensor norm(Tensor x, long dim, boolean keep) {
        return x.norm(new org.bytedeco.pytorch.ScalarOptional(new Scalar(2)), new long[] {dim}, keep);
    }

    public static Tensor argmax(Tensor x, long dim) {
        return torch.argmax(x, new LongOptional(dim), false);
    }

    public static Tensor cat(long dim, Tensor... parts) {
        return torch.cat(new org.bytedeco.pytorch.TensorVector(parts), dim);
    }

    /** Returns the tensor in that type; itself if it already has it. */
    public static Tensor to(Tensor x, ScalarType type) {
        return x.scalar_type().value == type.value ? x : x.to(type);
    }

    static TensorOptional optional(@Nullable Tensor tensor) {
        return tensor == null ? new TensorOptional() : new TensorOptional(tensor);
    }
}
