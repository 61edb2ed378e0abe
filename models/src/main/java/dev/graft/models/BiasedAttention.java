package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Attention where {@link Attend} doesn't reach: with a bias for each head, as T5's, or from a decoder to its encoder's positions:
 * {@code softmax(s · q kᵀ + bias) v}. Autograd finds its gradient, that of the bias too.
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
        return pass.piece(() -> {
            ScalarType type = q.scalar_type();
            Tensor scaled = scale == 1 ? q : Ops.scale(q, scale);
            Tensor scores = Ops.to(scaled.matmul(k.transpose(2, 3)), new Numerics(type).small());
            Tensor weights = Ops.to((bias == null ? scores : scores.add(bias)).softmax(-1), type);
            Tensor mixed = Ops.dropout(weights, dropout, pass.isTraining()).matmul(v);
            return new Tensor[] {mixed.transpose(1, 2).flatten(2, 3)};
        })[0];
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
}
