package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import org.bytedeco.pytorch.Tensor;

/**
 * Scaled dot-product attention with grouped queries, prefixes and a cache: {@code softmax(q kᵀ / √d + mask) v}.
 *
 * <p>The query heads that share a key head are folded into rows, so that keys and values are never repeated; products are in the
 * base's type, the softmax in fp32 or wider.
 */
public final class Attend {
    private Attend() {}

    /**
     * Attends.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param k {@code [batch, kvHeads, queries, headDim]}
     * @param v {@code [batch, kvHeads, queries, headDim]}
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Attention site, Tensor q, Tensor k, Tensor v, AttentionMask mask, double dropout, Pass pass) {
        KvCache cache = pass.cache();
        if (cache == null || cache.length() == 0) {
            Prefix prefix = pass.hooks().prefix(site, q.size(0), pass);
            if (prefix != null) {
                k = Ops.cat(2, Ops.to(prefix.keys(), k.scalar_type()), k);
                v = Ops.cat(2, Ops.to(prefix.values(), v.scalar_type()), v);
            }
        }
        if (cache != null) {
            k = cache.append(true, site.layer(), k);
            v = cache.append(false, site.layer(), v);
        }
        long batch = q.size(0);
        long heads = q.size(1);
        long queries = q.size(2);
        long dim = q.size(3);
        long kvHeads = k.size(1);
        long group = heads / kvHeads;
        long keys = k.size(2);

        Tensor folded = Ops.scale(q, 1 / Math.sqrt(dim)).reshape(batch, kvHeads, group * queries, dim);
        Tensor scores = Ops.to(folded.matmul(k.transpose(2, 3)), new Numerics(q.scalar_type()).small());
        if (mask.additive() != null) {
            scores = scores.view(batch, kvHeads, group, queries, keys)
                    .add(mask.additive().unsqueeze(1))
                    .view(batch, kvHeads, group * queries, keys);
        }
        Tensor weights = Ops.to(Ops.dropout(scores.softmax(-1), dropout, pass.isTraining()), v.scalar_type());
        return weights.matmul(v)
                .view(batch, heads, queries, dim)
                .transpose(1, 2)
                .reshape(batch, queries, heads * dim);
    }
}
