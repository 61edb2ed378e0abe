package dev.graft.peft.methods.reft;

import dev.graft.formats.InputException;
import dev.graft.peft.CachedValue;
import dev.graft.peft.Grafter;
import dev.graft.peft.ParameterDeclaration;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A matrix R of orthonormal rows as {@code torch.nn.utils.parametrizations.orthogonal} has it: {@code Rᵀ = B · H₀ ⋯ H_{r-1}[:, :r] · D} with
 * a fixed orthogonal {@code B [hidden, hidden]}, {@code Hᵢ = I - τᵢ vᵢ vᵢᵀ}, vᵢ one at i and row i of the trained
 * {@code original [r, hidden]} right of its diagonal, τᵢ = 2 / ‖vᵢ‖², and D that diagonal, -1 and never trained.
 */
final class Householder {
    private Householder() {}

    /** Declares {@code original} and {@code 0.base}: R starts as the first rows of a random orthogonal matrix. */
    static CachedValue of(Grafter g, ParameterDeclaration declare, String at, int r, long hidden) {
        String original = at + "original";
        Tensor v = declare.of(original, (rng, shape) -> identity(r, hidden).neg(), r, hidden);
        Tensor basis = g.frozen(
                at + "0.base",
                (rng, shape) ->
                        torch.linalg_qr(rng.normal(0, 1, hidden, hidden)).get0(),
                hidden,
                hidden);
        if (!v.detach().diagonal().abs().eq(new Scalar(1)).all().item_bool()) {
            throw new InputException(original + " has values on its diagonal that are not 1 or -1, so AdapterHub would"
                    + " take a part of this projection as zero; it was trained with weight decay on it");
        }
        // Weight decay moves the diagonal, whose sign alone counts here; torch cuts its fraction off.
        g.export(
                original,
                () -> v.triu(1)
                        .add(Ops.to(identity(r, hidden), v.scalar_type())
                                .mul(v.diagonal().sign().unsqueeze(1))));
        return g.cached(() -> matrix(v, basis));
    }

    private static Tensor identity(long rows, long columns) {
        return Tensors.ones(torch.ScalarType.Float, rows, columns).tril().triu();
    }

    private static Tensor matrix(Tensor v, Tensor basis) {
        Tensor reflectors = v.t().tril(-1);
        Tensor tau = Ops.plus(Ops.sum(reflectors.mul(reflectors), 0, false), 1)
                .reciprocal()
                .mul(new Scalar(2));
        Tensor q = torch.linalg_householder_product(reflectors, tau);
        return basis.matmul(q.mul(v.detach().diagonal().sign())).t();
    }
}
