package dev.graft.models.layers;

import dev.graft.models.sites.Norm;
import dev.graft.tensor.ops.FusedNorm;
import dev.graft.tensor.ops.Tape;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** A frozen root-mean-square norm of h {@code [..., n]}, or of each head of a query or key, with its gradient by formula. */
final class RmsNorm {
    private RmsNorm() {}

    static boolean isOf(Norm site) {
        return site.kind() != Norm.Kind.LAYER;
    }

    /** Returns the normalised h in that type. */
    static Tensor apply(Norm site, Tensor h, ScalarType type) {
        return FusedNorm.rmsNorm(h, site.factor(), site.eps(), type);
    }

    /** Adds to the gradient of h. */
    static void backward(Norm site, Tensor h, Tensor gradient) {
        Tensor sum = Tape.gradient(h);
        Tensor back = FusedNorm.rmsNormBackward(h, site.factor(), site.eps(), gradient, sum);
        if (sum == null) {
            Tape.accumulate(h, back);
        }
    }
}
