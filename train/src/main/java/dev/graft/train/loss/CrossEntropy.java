package dev.graft.train.loss;

import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.train.data.Target;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Cross-entropy of logits {@code [rows, classes]} with its gradient by formula: with P the softmax, ε the label smoothing and w the weight
 * of a row, {@code dlogits = w (P - (1 - ε) onehot - ε / classes)}. One buffer has P, then the gradient, for a few rows at a time.
 */
final class CrossEntropy {
    private static final int NONE = 0;

    /** So many chances are made at once. */
    private static final long CHUNK = 1 << 19;

    private CrossEntropy() {}

    /** The loss of each row. */
    static Tensor of(Tensor logits, Tensor labels, double smoothing) {
        return torch.cross_entropy_loss(logits, labels, new TensorOptional(), NONE, Target.NONE, smoothing);
    }

    /**
     * Runs the backward pass of {@code factor Σ w loss} from the logits.
     *
     * @return {@code Σ w loss}
     */
    static double backward(Tensor logits, Tensor labels, Tensor weights, double smoothing, double factor) {
        try (Scope scope = new Scope()) {
            return inPlace(logits.detach().clone(), labels, weights, smoothing, factor)
                    .backward(logits);
        }
    }

    /**
     * Computes the gradient of {@code factor Σ w loss} by the logits in place of the logits, which autograd doesn't record.
     */
    static Gradient inPlace(Tensor logits, Tensor labels, Tensor weights, double smoothing, double factor) {
        Tensor losses = FusedOps.crossEntropy(logits, labels, weights, smoothing, factor);
        if (losses != null) {
            return new Gradient(Tensors.item(losses.sum()), logits);
        }
        long rows = logits.size(0);
        long piece = Math.max(1, CHUNK / logits.size(1));
        double sum = 0;
        for (long start = 0; start < rows; start += piece) {
            long count = Math.min(piece, rows - start);
            try (Scope once = new Scope()) {
                Tensor some = logits.narrow(0, start, count);
                Gradient gradient = gradient(
                        some, labels.narrow(0, start, count), weights.narrow(0, start, count), smoothing, factor);
                some.copy_(gradient.values);
                sum += gradient.sum;
            }
        }
        return new Gradient(sum, logits);
    }

    /**
     * The gradient that the logits' backward pass starts with.
     *
     * @param sum {@code Σ w loss}
     * @param values {@code [rows, classes]}, of {@code factor Σ w loss}
     */
    record Gradient(double sum, Tensor values) {
        /** Runs the backward pass from the logits. */
        double backward(Tensor logits) {
            if (logits.requires_grad()) {
                BackwardPass.from(logits, Ops.to(values, logits.scalar_type()));
            }
            return sum;
        }
    }

    /**
     * The gradient of {@code factor Σ w loss} by the logits, in the type of the weights.
     *
     * @param labels {@code [rows]}
     * @param weights {@code [rows]}, fp32 or wider, as the softmax is made in
     */
    static Gradient gradient(Tensor logits, Tensor labels, Tensor weights, double smoothing, double factor) {
        ScalarType type = weights.scalar_type();
        try (NoGrad noGrad = new NoGrad()) {
            Tensor wide = Ops.to(logits, type);
            Tensor index = labels.unsqueeze(1);
            // Where the logits were cast their copy is what becomes the chances.
            Tensor chances = wide.equals(logits) ? wide.softmax(-1) : torch.softmax_out(wide, wide, -1);
            double sum = smoothing > 0
                    ? Double.POSITIVE_INFINITY
                    : Tensors.item(chances.gather(1, index)
                            .log()
                            .squeeze(1)
                            .mul_(weights)
                            .sum()
                            .neg());
            if (Double.isInfinite(sum)) { // smoothed, or a chance too small for fp32
                sum = Tensors.item(
                        of(Ops.to(logits, type), labels, smoothing).mul(weights).sum());
            }
            Tensor target = Ops.scale(Tensors.ones(type, Tensors.shape(index)), smoothing - 1);
            chances.scatter_add_(1, index, target);
            if (smoothing > 0) {
                chances.sub_(new Scalar(smoothing / logits.size(1)), new Scalar(1));
            }
            return new Gradient(sum, chances.mul_(Ops.scale(weights, factor).unsqueeze(1)));
        }
    }
}
