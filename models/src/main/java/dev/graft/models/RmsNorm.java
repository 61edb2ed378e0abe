package dev.graft.models;

import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tape;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/** The gradient of root-mean-square normalisation (Zhang and Sennrich, 2019). */
final class RmsNorm {
    private RmsNorm() {}

    /**
     * With r = 1 / √(mean h² + ε) and u = w ⊙ dy: adds {@code r u - r³ / n · (u · h) h} to the gradient of h {@code [..., n]}.
     */
    static void backward(Norm site, Tensor h, Tensor gradient) {
        long n = h.size(h.dim() - 1);
        Tensor r = Ops.norm(h, -1, true)
                .square()
                .mul_(new Scalar(1.0 / n))
                .add_(new Scalar(site.eps()))
                .rsqrt_();
        Tensor u = gradient.mul(site.weight());
        Tensor along = Ops.sum(u.mul(h), -1, true).mul_(r).mul_(r).mul_(r);
        Tape.accumulate(h, u.mul_(r).addcmul_(h, along, new Scalar(-1.0 / n)));
    }
}
