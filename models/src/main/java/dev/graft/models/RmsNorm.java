package dev.graft.models;

import dev.graft.models.sites.Norm;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
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
        Tensor x = groups(site, h);
        Tensor r = Ops.norm(x, -1, true)
                .square()
                .mul_(new Scalar(1.0 / x.size(-1)))
                .add_(new Scalar(site.eps()))
                .rsqrt_();
        return new Tensor[] {apply(site, h, r, type), r};
    }

    /** y again, from r. */
    static Tensor apply(Norm site, Tensor h, Tensor r, ScalarType type) {
        return Ops.to(groups(site, h).mul(r).mul_(site.factor()).view(Tensors.shape(h)), type);
    }

    /** h as {@code [..., groups, n]} in the type of the weight: each head of a query is normalised on its own. */
    private static Tensor groups(Norm site, Tensor h) {
        long n = site.weight().size(0);
        return Ops.to(h, site.weight().scalar_type()).unflatten(-1, h.size(-1) / n, n);
    }

    /** With u = w ⊙ dy: adds {@code r u - r³ / n · (u · h) h} to the gradient of h. */
    static void backward(Norm site, Tensor h, Tensor r, Tensor gradient) {
        Tensor x = groups(site, h);
        Tensor u = groups(site, gradient).mul(site.factor());
        Tensor along = Ops.sum(u.mul(x), -1, true).mul_(r).mul_(r).mul_(r);
        Tensor back = u.mul_(r).addcmul_(x, along, new Scalar(-1.0 / x.size(-1)));
        Tape.accumulate(h, back.view(Tensors.shape(h)));
    }
}
