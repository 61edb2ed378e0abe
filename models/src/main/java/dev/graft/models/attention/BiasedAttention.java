package dev.graft.models.attention;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedAttention;
import dev.graft.tensor.ops.Tape;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Attention with a bias for each head, as in T5, or from a decoder to its encoder's positions: {@code softmax(s · q kᵀ + bias) v}.
 * {@link ScaledDotProductAttention} doesn't support these. On a tape the scores are recomputed in the backward pass, which also computes the
 * gradient of the bias.
 */
public final class BiasedAttention {
    private BiasedAttention() {}

    /**
     * Computes attention.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param k {@code [batch, heads, keys, headDim]}
     * @param v {@code [batch, heads, keys, headDim]}
     * @param bias {@code [batch or 1, heads or 1, queries or 1, keys]}, very negative for hidden keys; null for none
     * @param dropout the dropout of the weights, in training
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Tensor q, Tensor k, Tensor v, double scale, @Nullable Tensor bias, double dropout, ForwardPass pass) {
        double p = pass.isTraining() ? dropout : 0;
        Tape tape = pass.tape();
        boolean trains = q.requires_grad() || k.requires_grad() || v.requires_grad();
        if (tape == null || !trains && (bias == null || !bias.requires_grad())) {
            return pass.segment(() -> new Tensor[] {mixed(probabilities(q, k, scale, bias), v, dropped(q, k, p))})[0];
        }
        return tape.run(
                () -> {
                    Tensor drop = dropped(q, k, p);
                    Tensor mixed = mixed(probabilities(q, k, scale, bias), v, drop);
                    return drop == null ? new Tensor[] {mixed} : new Tensor[] {mixed, drop};
                },
                (gradient, kept) -> backward(q, k, v, scale, bias, kept, gradient));
    }

    /**
     * Attends to positions of another side, after a prefix.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param seen the keys and values, {@code [batch, heads, keys, headDim]}
     * @param hiding {@code [batch, 1, 1, keys]}, very negative for padded keys; null for no padding
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Attention site,
            Tensor q,
            Tensor[] seen,
            double scale,
            @Nullable Tensor hiding,
            double dropout,
            ForwardPass pass) {
        Prefix prefix = pass.hooks().isFrozen(site) ? null : pass.hooks().prefix(site, q.size(0), pass);
        if (prefix == null) {
            return ScaledDotProductAttention.adapted(
                    site, q, attend(q, seen[0], seen[1], scale, hiding, dropout, pass), pass);
        }
        Tensor[] all = pass.segment(() -> {
            Tensor before = Ops.to(prefix.keyValues().get(), q.scalar_type());
            return new Tensor[] {Ops.cat(2, before.select(0, 0), seen[0]), Ops.cat(2, before.select(0, 1), seen[1])};
        });
        ScalarType type = hiding == null ? new Numerics(q.scalar_type()).small() : hiding.scalar_type();
        Tensor own = hiding == null ? Tensors.zeros(type, q.size(0), 1, 1, seen[0].size(2)) : hiding;
        Tensor hidden = Ops.cat(3, AttentionMask.hiding(prefix.mask(), type), own);
        return ScaledDotProductAttention.adapted(
                site, q, attend(q, all[0], all[1], scale, hidden, dropout, pass), pass);
    }

    /** Attends to a pass's own positions, after those of its cache or a prefix. */
    public static Tensor attend(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            double scale,
            @Nullable Tensor bias,
            double dropout,
            ForwardPass pass) {
        Tensor[] seen = ScaledDotProductAttention.keysAndValues(site, own, ownValues, pass);
        return ScaledDotProductAttention.adapted(
                site, q, attend(q, seen[0], seen[1], scale, bias, dropout, pass), pass);
    }

    /** {@code [batch, heads, queries, keys]}, in fp32 or wider. */
    private static Tensor probabilities(Tensor q, Tensor k, double scale, @Nullable Tensor bias) {
        Tensor scaled = scale == 1 ? q : Ops.scale(q, scale);
        Tensor scores = Ops.to(scaled.matmul(k.transpose(2, 3)), new Numerics(q.scalar_type()).small());
        return (bias == null ? scores : scores.add(bias)).softmax(-1);
    }

    private static @Nullable Tensor dropped(Tensor q, Tensor k, double p) {
        return p > 0 ? Dropout.mask(q.scalar_type(), p, q.size(0), q.size(1), q.size(2), k.size(2)) : null;
    }

    private static Tensor mixed(Tensor probabilities, Tensor v, @Nullable Tensor drop) {
        return applied(probabilities, v.scalar_type(), drop)
                .matmul(v)
                .transpose(1, 2)
                .flatten(2, 3);
    }

    private static Tensor applied(Tensor probabilities, ScalarType type, @Nullable Tensor drop) {
        Tensor weights = Ops.to(probabilities, type);
        return drop == null ? weights : weights.mul(drop);
    }

    /**
     * Computes the gradients. P are the weights, D is the dropout and O = (P ⊙ D) V: {@code dV = (P ⊙ D)ᵀ dO},
     * {@code dP = (dO Vᵀ) ⊙ D}, {@code dS = P ⊙ (dP - Σ P ⊙ dP)}, {@code dQ = s · dS K}, {@code dK = s · dSᵀ Q}.
     * {@code dbias = dS}, summed over the dimensions that the bias was repeated along.
     */
    private static void backward(
            Tensor q, Tensor k, Tensor v, double scale, @Nullable Tensor bias, List<Tensor> kept, Tensor gradient) {
        ScalarType type = q.scalar_type();
        Tensor drop = kept.isEmpty() ? null : kept.get(0);
        Tensor probabilities = probabilities(q, k, scale, bias);
        Tensor dout = gradient.view(q.size(0), q.size(2), q.size(1), q.size(3)).transpose(1, 2);
        if (v.requires_grad()) {
            Tape.accumulate(
                    v, applied(probabilities, type, drop).transpose(2, 3).matmul(dout));
        }
        Tensor dweights = dout.matmul(v.transpose(2, 3));
        Tensor dscores = FusedAttention.softmaxBackwardByTorch(
                Ops.to(drop == null ? dweights : dweights.mul(drop), probabilities.scalar_type()), probabilities);
        if (bias != null && bias.requires_grad()) {
            Tape.accumulate(bias, dscores.sum_to_size(Tensors.shape(bias)));
        }
        Tensor inner = Ops.to(dscores, type);
        if (q.requires_grad()) {
            Tape.accumulate(q, Ops.scale(inner.matmul(k), scale));
        }
        if (k.requires_grad()) {
            Tape.accumulate(k, Ops.scale(inner.transpose(2, 3).matmul(q), scale));
        }
    }
}
