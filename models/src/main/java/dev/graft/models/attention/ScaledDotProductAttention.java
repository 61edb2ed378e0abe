package dev.graft.models.attention;

import dev.graft.models.cache.BatchedKvCache;
import dev.graft.models.cache.KvCache;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.RaggedBatch;
import dev.graft.models.functions.SoftCap;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Prefix;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedAttention;
import dev.graft.tensor.ops.FusedOps;
import dev.graft.tensor.ops.Products;
import dev.graft.tensor.ops.Tape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Scaled dot-product attention with grouped queries, prefixes and a cache: {@code softmax(s · q kᵀ + mask) v}; a {@link SoftCap} may limit the
 * scores.
 *
 * <p>Query heads that share a key head are folded into rows, so keys and values are never repeated. A few rows of the batch are computed at a
 * time, cut to their own length, so their scores stay in the processor's cache. On a tape, scores, dropout masks and weights over many keys are
 * recomputed in the backward pass (as in FlashAttention, Dao et al., 2022). The operands lose their values then, since the tape keeps its own
 * copies. Products are in the base's type, the softmax in fp32 or wider.
 */
public final class ScaledDotProductAttention {
    private ScaledDotProductAttention() {}

    /**
     * Computes attention.
     *
     * @param q {@code [batch, heads, queries, headDim]}
     * @param own the keys of the pass's own positions, {@code [batch, kvHeads, queries, headDim]}
     * @param ownValues their values, likewise
     * @param mask the visible keys, including cached ones
     * @param dropout the dropout of the weights, in training
     * @return {@code [batch, queries, heads · headDim]}
     */
    public static Tensor attend(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            AttentionMask mask,
            double dropout,
            ForwardPass pass) {
        Tensor attended = mask.rows().isEmpty()
                ? frozen(site, q, own, ownValues, mask.at(site, pass), dropout, pass)
                : ragged(site, q, own, ownValues, mask, pass.ragged());
        return adapted(site, q, attended, pass);
    }

    /** Each row's queries: where it is one, rows that see all keys of a tile together, others alone. What a row is given doesn't depend on the other rows. */
    private static Tensor ragged(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            AttentionMask whole,
            @Nullable RaggedBatch<ForwardPass> ragged) {
        List<@Nullable AttentionMask> masks = whole.rows();
        if (ragged == null) {
            throw new IllegalStateException("rows have masks of their own in a ragged pass alone");
        }
        if (whole.isOfEqualRows()
                && ragged.rows().stream()
                        .allMatch(row -> row != null && row.hooks().isFrozen(site))) {
            return equalLengths(site, q, own, ownValues, whole, ragged);
        }
        BatchedKvCache.DecodeStep step = ragged.step();
        Tensor all = step == null
                ? null
                : step.attend(site, q, own, ownValues, whole.alibi() == null ? null : whole.alibi()::addTo);
        Tensor[] rows = new Tensor[masks.size()];
        boolean allTogether = all != null;
        for (int row = 0; row < rows.length; row++) {
            ForwardPass pass = ragged.rows().get(row);
            AttentionMask mask = masks.get(row);
            AttentionMask its = pass == null || mask == null ? null : mask.at(site, pass);
            if (all != null && (its == null || its.additive() == null)) {
                continue;
            }
            allTogether = false;
            rows[row] = its == null || pass == null
                    ? Tensors.zeros(q.scalar_type(), 1, q.size(2), q.size(1) * q.size(3))
                    : alone(site, q.narrow(0, row, 1), own.narrow(0, row, 1), ownValues.narrow(0, row, 1), its, pass);
        }
        if (all != null && allTogether) {
            return all;
        }
        for (int row = 0; row < rows.length; row++) {
            rows[row] = rows[row] == null && all != null ? all.narrow(0, row, 1) : rows[row];
        }
        return Ops.cat(0, rows);
    }

    /** Whole texts of one length: what they see is alike, and their products are one. */
    private static Tensor equalLengths(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            AttentionMask mask,
            RaggedBatch<ForwardPass> ragged) {
        List<ForwardPass> passes =
                ragged.rows().stream().map(Objects::requireNonNull).toList();
        for (int row = 0; row < passes.size(); row++) {
            keysAndValues(site, own.narrow(0, row, 1), ownValues.narrow(0, row, 1), passes.get(row));
        }
        List<AttentionChunk> chunks = AttentionChunk.of(q, own, mask, passes.get(0));
        Work work = Work.of(site, chunks, 0);
        return all(work, Read.of(work, q, own, ownValues), null);
    }

    private static Tensor alone(
            Attention site, Tensor query, Tensor key, Tensor value, AttentionMask mask, ForwardPass pass) {
        if (query.size(2) > 1 || mask.additive() != null || mask.alibi() != null || site.cap() != null) {
            return frozen(site, query, key, value, mask, 0, pass);
        }
        Tensor[] seen = keysAndValues(site, key, value, pass);
        long[] folded = {1, key.size(1), query.size(1) / key.size(1), query.size(3)};
        return Ops.attention(query.reshape(folded), seen[0], seen[1], null, site.scale())
                .reshape(1, 1, query.size(1) * query.size(3));
    }

    /** Returns the input of the output projection. */
    static Tensor adapted(Attention site, Tensor q, Tensor attended, ForwardPass pass) {
        return pass.hooks().isFrozen(site)
                ? attended
                : pass.segment(() -> new Tensor[] {pass.hooks().attended(site, q, torch.alias(attended), pass)})[0];
    }

    /** Returns the keys and values of a pass: those of its cache or a prefix, then its own. */
    static Tensor[] keysAndValues(Attention site, Tensor own, Tensor ownValues, ForwardPass pass) {
        KvCache cache = pass.context().cache();
        Tensor k = own;
        Tensor v = ownValues;
        if (!pass.context().isContinuation() && !pass.hooks().isFrozen(site)) {
            Tensor[] prefixed = pass.segment(() -> prefixed(site, own, ownValues, pass));
            k = prefixed[0];
            v = prefixed[1];
        }
        if (cache != null) {
            k = cache.append(true, site.layer(), k);
            v = cache.append(false, site.layer(), v);
        }
        return new Tensor[] {k, v};
    }

    private static Tensor frozen(
            Attention site,
            Tensor q,
            Tensor own,
            Tensor ownValues,
            AttentionMask mask,
            double dropout,
            ForwardPass pass) {
        Tensor[] seen = keysAndValues(site, own, ownValues, pass);
        Tensor k = seen[0];
        Tensor v = seen[1];
        Tape tape = pass.tape();
        if (tape == null && isPlain(site, q, k, mask) && mask.texts() == null) {
            Tensor additive = mask.additive();
            Tensor adds = additive == null ? null : AttentionChunk.ofQueries(additive, 0, q.size(2));
            return plain(site, q, k, v, adds);
        }
        int[] ends = tape == null ? ends(site, q, k, mask) : null;
        if (ends != null) {
            return ofTexts(site, q, k, v, ends);
        }
        double p = pass.isTraining() && !Dropout.isDisabled() ? dropout : 0;
        Work work = Work.of(site, AttentionChunk.of(q, k, mask, pass), p);
        if (tape == null || !(q.requires_grad() || k.requires_grad() || v.requires_grad())) {
            return all(work, Read.of(work, q, k, v), null);
        }
        Profiler.enter(site.layer(), () -> "attention");
        long keys = k.size(2);
        Tensor answers = tape.run(
                () -> {
                    Read read = Read.of(work, q.detach(), k.detach(), v.detach());
                    List<Tensor> results = new ArrayList<>(List.of(read.queries, read.keys, read.values));
                    results.add(0, all(work, read, results));
                    return results.toArray(Tensor[]::new);
                },
                (gradient, kept) -> {
                    Read read = new Read(kept.get(0), kept.get(1), kept.get(2));
                    Read back = backward(work, read, kept.subList(3, kept.size()), gradient);
                    addGradient(q, back.queries);
                    addGradient(k, back.keys.narrow(2, 0, keys));
                    addGradient(v, back.values.narrow(2, 0, keys));
                });
        // What is read of them is kept.
        forget(k);
        forget(v);
        if (pass.hooks().isFrozen(site)) {
            forget(q);
        }
        return answers;
    }

    /**
     * The operands of attention, or their gradients. Queries {@code [batch, heads, queries, headDim]} are multiplied by
     * their scale. Keys and values {@code [batch, kvHeads, keys, headDim]} include those after the last one, which no
     * query sees.
     */
    private record Read(Tensor queries, Tensor keys, Tensor values) {
        static Read of(Work work, Tensor q, Tensor k, Tensor v) {
            return new Read(
                    FusedOps.contiguous(q, work.site.scale()), widened(k, work.chunks), widened(v, work.chunks));
        }
    }

    private static Tensor plain(Attention site, Tensor q, Tensor k, Tensor v, @Nullable Tensor additive) {
        return Ops.attention(q, k, v, additive, site.scale())
                .transpose(1, 2)
                .reshape(q.size(0), q.size(2), q.size(1) * q.size(3));
    }

    /** Texts that stand one after another in a row, each as if it were alone; zeros for padding behind them. */
    private static Tensor ofTexts(Attention site, Tensor q, Tensor k, Tensor v, int[] ends) {
        List<Tensor> texts = new ArrayList<>();
        long from = 0;
        for (int end : ends) {
            long length = end - from;
            texts.add(
                    plain(site, q.narrow(2, from, length), k.narrow(2, from, length), v.narrow(2, from, length), null));
            from = end;
        }
        if (from < q.size(2)) {
            texts.add(Tensors.zeros(q.scalar_type(), 1, q.size(2) - from, q.size(1) * q.size(3)));
        }
        return Ops.cat(1, texts.toArray(Tensor[]::new));
    }

    /**
     * Returns the ends of the only row's texts, where libtorch's own operation has the same result in each; else null.
     */
    private static int @Nullable [] ends(Attention site, Tensor q, Tensor k, AttentionMask mask) {
        AttentionMask.PackedTexts texts = mask.texts();
        boolean plain = texts != null
                && texts.ends().length == 1
                && texts.prompt() == 0
                && k.size(2) == q.size(2)
                && isPlain(site, q, k, mask);
        if (texts == null || !plain) {
            return null;
        }
        long tokens = q.size(2) - mask.padding()[0];
        int[] ends = Arrays.stream(texts.ends()[0]).filter(end -> end <= tokens).toArray();
        return ends.length > 0 && ends[ends.length - 1] == tokens ? ends : null;
    }

    /**
     * Returns whether libtorch's own operation has the same result within a text. It is faster in fp32 and far slower
     * in bf16.
     */
    private static boolean isPlain(Attention site, Tensor q, Tensor k, AttentionMask mask) {
        return q.scalar_type().value == ScalarType.Float.value
                && q.size(1) == k.size(1)
                && site.cap() == null
                && !mask.causal()
                && mask.hasKeys() == null
                && mask.alibi() == null;
    }

    private static Tensor[] prefixed(Attention site, Tensor k, Tensor v, ForwardPass pass) {
        Prefix prefix = pass.hooks().prefix(site, k.size(0), pass);
        if (prefix == null) {
            return new Tensor[] {torch.alias(k), torch.alias(v)};
        }
        Tensor keyValues = Ops.to(prefix.keyValues().get(), k.scalar_type());
        return new Tensor[] {Ops.cat(2, keyValues.select(0, 0), k), Ops.cat(2, keyValues.select(0, 1), v)};
    }

    /**
     * The data that a forward pass passes to its backward pass.
     *
     * @param masks the masks of the chunks
     */
    @SuppressWarnings("ArrayRecordComponent") // of one pass, never shared
    private record Work(Attention site, List<AttentionChunk> chunks, double dropout, Dropout.@Nullable Mask[] masks) {
        static Work of(Attention site, List<AttentionChunk> chunks, double dropout) {
            return new Work(site, chunks, dropout, new Dropout.Mask[chunks.size()]);
        }

        /**
         * Returns whether the weights of a chunk are kept for the backward pass. They are if a query has no more weights than the values of a
         * query, a key, a value and an output. With a cap the scores are needed too.
         */
        boolean keeps(AttentionChunk chunk, long headDim) {
            return site.cap() == null && chunk.seen() <= 4 * headDim;
        }
    }

    /**
     * The answers.
     *
     * @param keep gets the weights of the chunks that keep theirs, for the backward pass; null where there is none
     */
    private static Tensor all(Work work, Read read, @Nullable List<Tensor> keep) {
        Attention site = work.site;
        List<AttentionChunk> chunks = work.chunks;
        Tensor q = read.queries;
        Tensor keys = read.keys;
        long width = q.size(1) * q.size(3);
        List<Tensor> rows = new ArrayList<>();
        List<Tensor> blocks = new ArrayList<>();
        for (int i = 0; i < chunks.size(); i++) {
            AttentionChunk chunk = chunks.get(i);
            try (Scope scope = new Scope()) {
                boolean trains = keep != null;
                Tensor scores = scores(site.cap(), folded(q, chunk, keys.size(1)), keys, chunk, trains);
                Tensor weights = probabilities(scores, chunk, trains);
                if (keep != null && work.keeps(chunk, q.size(3))) {
                    keep.add(scope.keep(weights));
                }
                Dropout.Mask mask = Dropout.draw(work.dropout, weights);
                if (mask != null) {
                    work.masks[i] = mask;
                    weights = mask.apply(weights);
                }
                Tensor heads = product(weights, chunk.keysOf(read.values), trains)
                        .view(chunk.rows(), q.size(1), chunk.queries(), q.size(3))
                        .transpose(1, 2);
                blocks.add(scope.keep(FusedOps.contiguous(heads, 1).view(chunk.rows(), chunk.queries(), width)));
            }
            boolean last = i + 1 == chunks.size() || chunks.get(i + 1).first() != chunk.first();
            if (last) {
                long missing = q.size(2) - chunk.start() - chunk.queries();
                if (missing > 0) {
                    blocks.add(Tensors.zeros(q.scalar_type(), chunk.rows(), missing, width));
                }
                rows.add(joined(1, blocks));
                blocks.clear();
            }
        }
        return joined(0, rows);
    }

    /** Keys or values with as many positions as the chunks see, those that nobody sees 0. */
    private static Tensor widened(Tensor x, List<AttentionChunk> chunks) {
        long seen = chunks.stream()
                .mapToLong(chunk -> chunk.from() + chunk.keys())
                .max()
                .orElse(0);
        return seen <= x.size(2)
                ? FusedOps.contiguous(x, 1)
                : torch.constant_pad_nd(x, new long[] {0, 0, 0, seen - x.size(2)}, new Scalar(0.0));
    }

    private static Tensor joined(long dim, List<Tensor> parts) {
        return parts.size() == 1 ? parts.get(0) : Ops.cat(dim, parts.toArray(Tensor[]::new));
    }

    private static Tensor product(Tensor a, Tensor b, boolean trains) {
        return trains ? Products.products(a, b) : a.matmul(b);
    }

    /** A chunk's scores before they are masked, {@code [rows, kvHeads, group · queries, keys]}. */
    private static Tensor scores(@Nullable SoftCap cap, Tensor folded, Tensor k, AttentionChunk chunk, boolean trains) {
        Tensor products = product(folded, chunk.keysOf(k).transpose(2, 3), trains);
        return cap == null ? products : cap.apply(products);
    }

    /** The softmax of a chunk's scores, which are masked in place; summed in fp32 or wider. */
    private static Tensor probabilities(Tensor scores, AttentionChunk chunk, boolean trains) {
        long group = scores.size(2) / chunk.queries();
        if (chunk.alibi() != null) {
            chunk.alibi()
                    .addTo(scores.unflatten(2, group, chunk.queries()), chunk.first(), chunk.start(), chunk.from());
        }
        Tensor additive = chunk.additive();
        Tensor fused = trains ? FusedAttention.softmax(scores, additive, chunk.queries()) : null;
        if (fused == null && additive != null) {
            long last = additive.size(3);
            scores.narrow(3, chunk.seen() - last, last)
                    .unflatten(2, group, chunk.queries())
                    .add_(additive.unsqueeze(group == 1 ? 2 : 1));
        }
        Tensor weights = fused == null ? scores.softmax(-1) : fused;
        return chunk.hasKeys() == null
                ? weights
                : weights.unflatten(2, group, chunk.queries())
                        .mul(chunk.hasKeys().unsqueeze(1))
                        .flatten(2, 3);
    }

    /** Queries of a chunk, {@code [rows, kvHeads, group · queries, headDim]}. */
    private static Tensor folded(Tensor q, AttentionChunk chunk, long kvHeads) {
        return chunk.queriesOf(q).reshape(chunk.rows(), kvHeads, q.size(1) / kvHeads * chunk.queries(), q.size(3));
    }

    /**
     * Computes the gradients. P are the weights, D is the dropout and O = (P ⊙ D) V: {@code dV = (P ⊙ D)ᵀ dO},
     * {@code dP = (dO Vᵀ) ⊙ D}, {@code dS = P ⊙ (dP - Σ P ⊙ dP)}, times the slope of the cap where one exists,
     * {@code dQ = s · dS K}, {@code dK = s · dSᵀ Q}.
     */
    private static Read backward(Work work, Read read, List<Tensor> kept, Tensor gradient) {
        Attention site = work.site;
        List<AttentionChunk> chunks = work.chunks;
        SoftCap cap = site.cap();
        Tensor q = read.queries;
        Tensor keys = read.keys;
        Tensor values = read.values;
        long heads = q.size(1);
        long dim = q.size(3);
        long kvHeads = keys.size(1);
        long[] split = {q.size(0), q.size(2), heads, dim};
        Tensor dout = FusedOps.contiguous(gradient.view(split).transpose(1, 2), 1);
        // One chunk of all gives these gradients as they are; those of several are added up.
        boolean whole = chunks.size() == 1 && chunks.get(0).isAll(q, keys);
        Tensor dq =
                (whole ? Tensors.empty(q.scalar_type(), split) : Tensors.zeros(q.scalar_type(), split)).transpose(1, 2);
        Tensor dk = whole ? keys : Tensors.zeros(keys.scalar_type(), Tensors.shape(keys));
        Tensor dv = whole ? values : Tensors.zeros(values.scalar_type(), Tensors.shape(values));
        Iterator<Tensor> weights = kept.iterator();
        for (int i = 0; i < chunks.size(); i++) {
            AttentionChunk chunk = chunks.get(i);
            try (Scope scope = new Scope()) {
                long folded = heads / kvHeads * chunk.queries();
                Tensor dpart = chunk.queriesOf(dout).reshape(chunk.rows(), kvHeads, folded, dim);
                Tensor queries = folded(q, chunk, kvHeads);
                Tensor slope = null;
                Tensor probabilities;
                if (work.keeps(chunk, dim)) {
                    probabilities = weights.next();
                } else {
                    Tensor scores = scores(cap, queries, keys, chunk, true);
                    slope = cap == null ? null : cap.slope(scores);
                    probabilities = probabilities(scores, chunk, true);
                }
                Tensor applied = probabilities;
                Tensor dweights = Products.products(dpart, chunk.keysOf(values).transpose(2, 3));
                Dropout.Mask mask = work.masks[i];
                if (mask != null) {
                    applied = mask.apply(probabilities);
                    dweights = mask.applyInPlace(dweights);
                }
                Tensor toValues = Products.products(applied.transpose(2, 3), dpart);
                Tensor dscores = FusedAttention.softmaxBackward(dweights, probabilities);
                if (slope != null) {
                    dscores.mul_(slope);
                }
                Tensor part = Products.products(dscores, chunk.keysOf(keys));
                FusedOps.copy(part.view(chunk.rows(), heads, chunk.queries(), dim), chunk.queriesOf(dq), site.scale());
                Tensor toKeys = Products.products(dscores.transpose(2, 3), queries);
                if (whole) {
                    dk = scope.keep(toKeys);
                    dv = scope.keep(toValues);
                } else {
                    chunk.addTo(dk, toKeys);
                    chunk.addTo(dv, toValues);
                }
            }
        }
        return new Read(dq, dk, dv);
    }

    private static void forget(Tensor leaf) {
        if (leaf.requires_grad()) {
            Tape.freeValues(leaf);
        }
    }

    private static void addGradient(Tensor leaf, Tensor gradient) {
        if (leaf.requires_grad()) {
            Tape.accumulate(leaf, gradient);
        }
    }
}
