package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Attention where {@link Attend} doesn't reach: with a bias for each head, as T5's, or from a decoder to its encoder's positions:
 * {@code softmax(s · q kᵀ + bias) v}. On a tape the scores aren't kept but made again in the backward pass, which gives the bias its
 * gradient too.
 */
public final class BiasedAttention {
    private BiasedAttention() {}

    /**
     * Attends.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param k {@code [batch, heads, keys, headDim]}
     * @param v {@code [batch, heads, keys, headDim]}
     * @param bias {@code [batch or 1, heads or 1, queries or 1, keys]}, very negative where a key is hidden; null for none
     * @param dropout of the weights, in training
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Tensor q, Tensor k, Tensor v, double scale, @Nullable Tensor bias, double dropout, Pass pass) {
        double p = pass.isTraining() ? dropout : 0;
        Tape tape = pass.tape();
        boolean trains = q.requires_grad() || k.requires_grad() || v.requires_grad();
        if (tape == null || !trains && (bias == null || !bias.requires_grad())) {
            return pass.piece(() -> new Tensor[] {mixed(probabilities(q, k, scale, bias), v, dropped(q, k, p))})[0];
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
     * Attends to positions of another side, behind a prefix.
     *
     * @param seen their keys and values
     * @param hiding {@code [batch, 1, 1, keys]}, what hides padding among them; null where there is none
     */
    public static Tensor attend(
            Attention site, Tensor q, Tensor[] seen, double scale, @Nullable Tensor hiding, double dropout, Pass pass) {
        Prefix prefix = pass.hooks().isFrozen(site) ? null : pass.hooks().prefix(site, q.size(0), pass);
        if (prefix == null) {
            return Attend.adapted(site, q, attend(q, seen[0], seen[1], scale, hiding, dropout, pass), pass);
        }
        Tensor[] all = pass.piece(() -> {
            Tensor before = Ops.to(prefix.keyValues().get(), q.scalar_type());
            return new Tensor[] {Ops.cat(2, before.select(0, 0), seen[0]), Ops.cat(2, before.select(0, 1), seen[1])};
        });
        ScalarType type = hiding == null ? new Numerics(q.scalar_type()).small() : hiding.scalar_type();
        Tensor own = hiding == null ? Tensors.zeros(type, q.size(0), 1, 1, seen[0].size(2)) : hiding;
        Tensor hidden = Ops.cat(3, AttentionMask.hiding(prefix.mask(), type), own);
        return Attend.adapted(site, q, attend(q, all[0], all[1], scale, hidden, dropout, pass), pass);
    }

    /** Attends to a pass's own positions, behind what its cache holds or a prefix. */
    public static Tensor attend(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            double scale,
            @Nullable Tensor bias,
            double dropout,
            Pass pass) {
        Tensor[] seen = Attend.seen(site, own, ownValues, pass);
        return Attend.adapted(site, q, attend(q, seen[0], seen[1], scale, bias, dropout, pass), pass);
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
     * With P the weights, D the dropout and O = (P ⊙ D) V: {@code dV = (P ⊙ D)ᵀ dO}, {@code dP = (dO Vᵀ) ⊙ D},
     * {@code dS = P ⊙ (dP - Σ P ⊙ dP)}, {@code dQ = s · dS K}, {@code dK = s · dSᵀ Q}, {@code dbias = dS} summed over what it was
     * repeated along.
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
        Tensor dscores = Ops.softmaxBackward(
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
