package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tape;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Scaled dot-product attention with grouped queries, prefixes and a cache: {@code softmax(q kᵀ / √d + mask) v}.
 *
 * <p>The query heads that share a key head are folded into rows, so that keys and values are never repeated. A few rows of the batch are
 * done at a time, cut to their own length, so that their scores stay in the processor's cache; on a tape the scores aren't kept but made
 * again in the backward pass (as FlashAttention does, Dao et al., 2022). Products are in the base's type, the softmax in fp32 or wider.
 */
public final class Attend {
    /** How many scores are made at once. */
    private static final long CHUNK = 1_500_000;

    private Attend() {}

    /** Keys and values with the prefix, if there is one, before them: {@code [batch, kvHeads, prefix + seq, headDim]}. */
    public static Tensor[] prefixed(Attention site, Tensor k, Tensor v, Pass pass) {
        KvCache cache = pass.cache();
        Prefix prefix =
                cache != null && cache.length() > 0 ? null : pass.hooks().prefix(site, k.size(0), pass);
        if (prefix == null) {
            return new Tensor[] {k, v};
        }
        return new Tensor[] {
            Ops.cat(2, Ops.to(prefix.keys(), k.scalar_type()), k),
            Ops.cat(2, Ops.to(prefix.values(), v.scalar_type()), v)
        };
    }

    /**
     * Attends.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param k {@code [batch, kvHeads, keys, headDim]}, prefix included
     * @param v {@code [batch, kvHeads, keys, headDim]}, prefix included
     * @param dropout of the weights, in training
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Attention site, Tensor q, Tensor k, Tensor v, AttentionMask mask, double dropout, Pass pass) {
        KvCache cache = pass.cache();
        if (cache != null) {
            k = cache.append(true, site.layer(), k);
            v = cache.append(false, site.layer(), v);
        }
        List<Chunk> chunks = chunks(q, k, mask);
        double p = pass.isTraining() ? dropout : 0;
        Tape tape = pass.tape();
        if (tape == null || !(q.requires_grad() || k.requires_grad() || v.requires_grad())) {
            return all(q, k, v, chunks, p, null);
        }
        Tensor keys = k;
        Tensor values = v;
        List<Tensor> kept = new ArrayList<>();
        Tensor[] out = new Tensor[1];
        out[0] = tape.run(
                () -> new Tensor[] {all(q, keys, values, chunks, p, kept)},
                gradient -> backward(q, keys, values, out[0], chunks, p, kept, gradient));
        return out[0];
    }

    /** Rows {@code [first, first + rows)} of the batch, with so many queries and keys. */
    private record Chunk(
            long first,
            long rows,
            long queries,
            long keys,
            @Nullable Tensor additive,
            @Nullable Tensor sees) {
        Tensor of(Tensor x, long length) {
            return x.narrow(0, first, rows).narrow(2, 0, length);
        }
    }

    private static List<Chunk> chunks(Tensor q, Tensor k, AttentionMask mask) {
        long batch = q.size(0);
        long queries = q.size(2);
        long keys = k.size(2);
        long each = Math.max(1, q.size(1) * queries * keys);
        long rows = Math.min(batch, Math.max(1, CHUNK / each));
        List<Chunk> chunks = new ArrayList<>();
        for (long first = 0; first < batch; first += rows) {
            long count = Math.min(rows, batch - first);
            long padding = keys;
            for (long row = first; row < first + count; row++) {
                padding = Math.min(padding, mask.padding()[(int) row]);
            }
            padding = Math.min(padding, queries - 1);
            Tensor additive = mask.additive();
            if (additive != null) {
                additive = (additive.size(0) == 1 ? additive : additive.narrow(0, first, count))
                        .narrow(2, 0, Math.min(additive.size(2), queries - padding))
                        .narrow(3, 0, keys - padding);
            }
            Tensor sees = mask.sees();
            if (sees != null) {
                sees = sees.narrow(0, first, count).narrow(2, 0, queries - padding);
            }
            chunks.add(new Chunk(first, count, queries - padding, keys - padding, additive, sees));
        }
        return chunks;
    }

    private static Tensor all(
            Tensor q, Tensor k, Tensor v, List<Chunk> chunks, double dropout, @Nullable List<Tensor> kept) {
        long queries = q.size(2);
        Tensor[] parts = new Tensor[chunks.size()];
        for (int i = 0; i < parts.length; i++) {
            Chunk chunk = chunks.get(i);
            try (Scope scope = new Scope()) {
                Tensor weights = Ops.to(probabilities(q, k, chunk), q.scalar_type());
                Tensor drop = dropout > 0 ? drop(weights, dropout) : null;
                if (drop != null) {
                    weights = weights.mul(drop);
                    if (kept != null) {
                        kept.add(scope.release(drop));
                    }
                }
                Tensor part = weights.matmul(chunk.of(v, chunk.keys))
                        .view(chunk.rows, q.size(1), chunk.queries, q.size(3))
                        .transpose(1, 2)
                        .reshape(chunk.rows, chunk.queries, q.size(1) * q.size(3));
                if (chunk.queries < queries) {
                    part = Ops.cat(
                            1,
                            part,
                            Tensors.zeros(part.scalar_type(), chunk.rows, queries - chunk.queries, part.size(2)));
                }
                parts[i] = scope.keep(part);
            }
        }
        return parts.length == 1 ? parts[0] : Ops.cat(0, parts);
    }

    /** The softmax of a chunk's scores, {@code [rows, kvHeads, group · queries, keys]}, in fp32 or wider. */
    private static Tensor probabilities(Tensor q, Tensor k, Chunk chunk) {
        long kvHeads = k.size(1);
        long[] grouped = {chunk.rows, kvHeads, q.size(1) / kvHeads, chunk.queries, chunk.keys};
        Tensor scores =
                Ops.to(folded(q, chunk, kvHeads).matmul(chunk.of(k, chunk.keys).transpose(2, 3)), small(q));
        Tensor additive = chunk.additive;
        if (additive != null) {
            scores.view(grouped).add_(additive.unsqueeze(1));
        }
        Tensor weights = scores.softmax(-1);
        if (chunk.sees != null) {
            weights = weights.view(grouped)
                    .mul(chunk.sees.unsqueeze(1))
                    .view(chunk.rows, kvHeads, q.size(1) / kvHeads * chunk.queries, chunk.keys);
        }
        return weights;
    }

    private static ScalarType small(Tensor q) {
        return new Numerics(q.scalar_type()).small();
    }

    /** Scaled queries of a chunk, {@code [rows, kvHeads, group · queries, headDim]}. */
    private static Tensor folded(Tensor q, Chunk chunk, long kvHeads) {
        Tensor part = Ops.scale(chunk.of(q, chunk.queries), 1 / Math.sqrt(q.size(3)));
        return part.reshape(chunk.rows, kvHeads, q.size(1) / kvHeads * chunk.queries, q.size(3));
    }

    /** 0 with probability p, else 1 / (1 - p). */
    private static Tensor drop(Tensor weights, double p) {
        return Tensors.empty(weights.scalar_type(), Tensors.shape(weights))
                .bernoulli_(1 - p, new org.bytedeco.pytorch.GeneratorOptional())
                .mul_(new Scalar(1 / (1 - p)));
    }

    /**
     * With P the weights, D the dropout and O = (P ⊙ D) V: {@code dV = (P ⊙ D)ᵀ dO}, {@code dP = (dO Vᵀ) ⊙ D},
     * {@code dS = P ⊙ (dP - Σ dO ⊙ O)}, {@code dQ = dS K / √d}, {@code dK = dSᵀ Q / √d}.
     */
    private static void backward(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor out,
            List<Chunk> chunks,
            double dropout,
            List<Tensor> kept,
            Tensor gradient) {
        long heads = q.size(1);
        long dim = q.size(3);
        long kvHeads = k.size(1);
        long[] split = {q.size(0), q.size(2), heads, dim};
        Tensor dout = gradient.view(split).transpose(1, 2);
        Tensor sums = Ops.sum(Ops.to(gradient, small(q)).mul(out).view(split), -1, false)
                .transpose(1, 2);
        boolean cut = chunks.stream().anyMatch(chunk -> chunk.queries < q.size(2));
        Tensor dq = like(q, cut, q.size(0), q.size(2), heads, dim).transpose(1, 2);
        Tensor dk = like(k, cut, Tensors.shape(k));
        Tensor dv = like(v, cut, Tensors.shape(v));
        for (int i = 0; i < chunks.size(); i++) {
            Chunk chunk = chunks.get(i);
            try (Scope scope = new Scope()) {
                long folded = heads / kvHeads * chunk.queries;
                Tensor dpart = chunk.of(dout, chunk.queries).reshape(chunk.rows, kvHeads, folded, dim);
                Tensor total = chunk.of(sums, chunk.queries).reshape(chunk.rows, kvHeads, folded, 1);
                Tensor probabilities = probabilities(q, k, chunk);
                Tensor applied = Ops.to(probabilities, q.scalar_type());
                Tensor dweights = dpart.matmul(chunk.of(v, chunk.keys).transpose(2, 3));
                if (dropout > 0) {
                    Tensor drop = kept.get(i);
                    applied = applied.mul(drop);
                    dweights.mul_(drop);
                    drop.close();
                }
                chunk.of(dv, chunk.keys).copy_(applied.transpose(2, 3).matmul(dpart));
                Tensor dscores = Ops.to(Ops.to(dweights, small(q)).sub_(total).mul_(probabilities), q.scalar_type());
                Tensor scaled = dscores.matmul(chunk.of(k, chunk.keys)).mul_(new Scalar(1 / Math.sqrt(dim)));
                chunk.of(dq, chunk.queries).copy_(scaled.view(chunk.rows, heads, chunk.queries, dim));
                chunk.of(dk, chunk.keys).copy_(dscores.transpose(2, 3).matmul(folded(q, chunk, kvHeads)));
            }
        }
        give(q, dq);
        give(k, dk);
        give(v, dv);
    }

    /** Memory for a gradient: zeros where parts of it are never written. */
    private static Tensor like(Tensor x, boolean cut, long... shape) {
        return cut ? Tensors.zeros(x.scalar_type(), shape) : Tensors.empty(x.scalar_type(), shape);
    }

    private static void give(Tensor leaf, Tensor gradient) {
        if (leaf.requires_grad()) {
            Tape.accumulate(leaf, gradient);
        }
    }
}
