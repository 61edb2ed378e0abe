package dev.graft.models.arch;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.models.weights.Weights;
import dev.graft.tensor.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The pooling of an image into one vector (Lee et al., 2019; Zhai et al., 2023): a learned query attends to all
 * patches, and a feed-forward block follows. PyTorch keeps the matrices of this attention in one module whose parts
 * nothing can adapt; they are no sites.
 */
final class AttentionPool {
    private final PreNormEncoder.Config shape;
    private final Tensor probe;
    private final Tensor inWeight;
    private final Tensor inBias;
    private final Tensor outWeight;
    private final Tensor outBias;
    private final Norm norm;
    private final Linear up;
    private final Linear down;

    /** @param name the module, with a dot behind it */
    AttentionPool(Weights w, String name, PreNormEncoder.Config shape) {
        this.shape = shape;
        int h = shape.hidden();
        probe = w.get(name + "probe", w.numerics().base(), 1, 1, h);
        inWeight = w.matrix(name + "attention.in_proj_weight", 3L * h, h);
        inBias = w.bias(name + "attention.in_proj_bias", 3L * h);
        outWeight = w.matrix(name + "attention.out_proj.weight", h, h);
        outBias = w.bias(name + "attention.out_proj.bias", h);
        norm = PreNormEncoder.norm(w, name + "layernorm", -1, h, shape.eps());
        up = PreNormEncoder.linear(w, name + "mlp.fc1", Role.UP, -1, shape.intermediate(), h, true);
        down = PreNormEncoder.linear(w, name + "mlp.fc2", Role.DOWN, -1, h, shape.intermediate(), true);
    }

    /** Returns vectors {@code [images, hidden]} for hidden states {@code [images, patches, hidden]}. */
    Tensor rows(Tensor states, ForwardPass pass) {
        return pass.segment(() -> {
            Tensor x = Ops.to(states, inWeight.scalar_type());
            Tensor q = projected(probe, 0).expand(x.size(0), -1, -1, -1);
            Tensor k = projected(x, 1);
            Tensor v = projected(x, 2);
            double scale = 1 / Math.sqrt((double) shape.hidden() / shape.heads());
            Tensor weights = Ops.to(
                    Ops.to(
                                    Ops.scale(q.matmul(k.transpose(2, 3)), scale),
                                    norm.weight().scalar_type())
                            .softmax(-1),
                    v.scalar_type());
            Tensor attended = weights.matmul(v).transpose(1, 2).flatten(2, 3);
            Tensor h = Ops.to(
                    Ops.linear(attended, outWeight, outBias), norm.weight().scalar_type());
            Tensor y = pass.hooks().linear(up, pass.hooks().norm(norm, h, pass), pass);
            Tensor fed = pass.hooks().linear(down, shape.activation().apply(y), pass);
            return new Tensor[] {h.add(fed).squeeze(1)};
        })[0];
    }

    /** Queries, keys or values by heads, {@code [batch, heads, seq, headDim]}. */
    private Tensor projected(Tensor x, int part) {
        long h = shape.hidden();
        Tensor y = Ops.linear(x, inWeight.narrow(0, part * h, h), inBias.narrow(0, part * h, h));
        return y.view(x.size(0), x.size(1), shape.heads(), h / shape.heads()).transpose(1, 2);
    }

    List<Site> sites() {
        return List.of(norm, up, down);
    }
}
