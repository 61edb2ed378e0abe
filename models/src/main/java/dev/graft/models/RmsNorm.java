package dev.graft.models;

import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tape;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Root-mean-square normalisation (Zhang and Sennrich, 2019) of h {@code [..., n]} with its gradient by formula:
 * {@code y = w ⊙ r h} with r = 1 / √(mean h² + ε).
 */
final class RmsNorm {
    private RmsNorm() {}

    /** y in that type, and r. */
    static Tensor[] forward(Norm site, Tensor h, ScalarType type) {
        Tensor r = Ops.norm(h, -1, true)
                .square()
                .mul_(new Scalar(1.0 / h.size(h.dim() - 1)))
                .add_(new Scalar(site.eps()))
                .rsqrt_();
        return new Tensor[] {Ops.to(h.mul(r).mul_(site.weight()), type), r};
    }

    /** With u = w ⊙ dy: adds {@code r u - r³ / n · (u · h) h} to the gradient of h. */
    static void backward(Norm site, Tensor h, Tensor r, Tensor gradient) {
        Tensor u = gradient.mul(site.weight());
        Tensor along = Ops.sum(u.mul(h), -1, true).mul_(r).mul_(r).mul_(r);
        Tape.accumulate(h, u.mul_(r).addcmul_(h, along, new Scalar(-1.0 / h.size(h.dim() - 1))));
    }
}
