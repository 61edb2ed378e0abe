package dev.graft.models.attention;

import dev.graft.models.forward.ForwardPass;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * A part of attention that is computed at once: rows {@code [first, first + rows)} of the batch, some of their queries, and the visible keys.
 * These are the first keys of their rows, shared with other texts there, and their own keys.
 *
 * @param start the first query
 * @param queries the number of queries
 * @param shared the number of shared keys
 * @param from the first of the own keys
 * @param keys the number of own keys
 * @param additive the mask of the last keys; its columns are their number
 */
record AttentionChunk(
        long first,
        long rows,
        long start,
        long queries,
        long shared,
        long from,
        long keys,
        @Nullable Tensor additive,
        @Nullable Tensor hasKeys,
        Alibi.@Nullable AlibiBias alibi) {
    /** The number of scores computed at once. */
    private static final long SCORES = 500_000;

    /** The number of queries of a causal pass in one chunk. They see the keys before the last of them, not all. */
    private static final long BLOCK = 160;

    /** A softmax over a multiple of these is up to four times as fast as over a few less: as many bf16 numbers as a register holds. */
    private static final long LANES = 32;

    Tensor queriesOf(Tensor x) {
        return x.narrow(0, first, rows).narrow(2, start, queries);
    }

    Tensor keysOf(Tensor x) {
        Tensor all = x.narrow(0, first, rows);
        if (shared == from) {
            return all.narrow(2, 0, from + keys);
        }
        Tensor own = all.narrow(2, from, keys);
        return shared == 0 ? own : Ops.cat(2, all.narrow(2, 0, shared), own);
    }

    /** Adds values to the positions of its keys. */
    void addTo(Tensor sum, Tensor part) {
        Tensor all = sum.narrow(0, first, rows);
        if (shared > 0) {
            all.narrow(2, 0, shared).add_(part.narrow(2, 0, shared));
        }
        all.narrow(2, from, keys).add_(part.narrow(2, shared, keys));
    }

    /** Returns whether it covers all queries and all keys. */
    boolean isAll(Tensor q, Tensor k) {
        return rows == q.size(0) && queries == q.size(2) && shared == 0 && from == 0 && keys == k.size(2);
    }

    long seen() {
        return shared + keys;
    }

    /** Splits attention into chunks in the order of rows, then of queries. */
    static List<AttentionChunk> of(Tensor q, Tensor k, AttentionMask mask, ForwardPass pass) {
        AttentionMask.PackedTexts texts = mask.texts();
        return texts == null
                ? ofRows(q, k, mask, pass.context().cache() == null, pass.tape() == null)
                : ofTexts(texts, mask);
    }

    private static long lanes(long keys) {
        return (keys + LANES - 1) / LANES * LANES;
    }

    private static List<AttentionChunk> ofTexts(AttentionMask.PackedTexts texts, AttentionMask mask) {
        Tensor later = mask.causal() ? triangle(mask.type()) : null;
        long prefix = mask.keys().size(1) - mask.queries();
        List<AttentionChunk> chunks = new ArrayList<>();
        for (int row = 0; row < texts.ends().length; row++) {
            long first = 0;
            for (long end : texts.ends()[row]) {
                long shared = prefix + (first == 0 ? 0 : texts.prompt());
                long length = Math.min(end, mask.queries() - mask.padding()[row]) - first;
                long blocks = mask.causal() ? (length + BLOCK - 1) / BLOCK : 1;
                for (long block = 0; block < blocks; block++) {
                    long start = length * block / blocks;
                    long stop = length * (block + 1) / blocks;
                    if (stop > start) {
                        long count = stop - start;
                        long seen = later == null ? length : stop;
                        // Keys of the next text that fill the last register up are as hidden as those behind a query.
                        long keys =
                                later == null ? seen : Math.min(lanes(shared + seen) - shared, mask.queries() - first);
                        Tensor hides =
                                later == null ? null : later.narrow(2, 0, count).narrow(3, 0, count + keys - seen);
                        chunks.add(new AttentionChunk(
                                row, 1, first + start, count, shared, prefix + first, keys, hides, null, mask.alibi()));
                    }
                }
                first = end;
            }
        }
        return chunks;
    }

    /** Hides from the queries of a block, {@code [1, 1, block, block + lanes]}, those behind them. */
    private static Tensor triangle(ScalarType type) {
        Tensor later = Tensors.ones(ScalarType.Bool, BLOCK, BLOCK + LANES).triu(1);
        return Tensors.zeros(type, 1, 1, BLOCK, BLOCK + LANES).masked_fill(later, new Scalar(AttentionMask.HIDDEN));
    }

    /** @param steady whether padding is cut by whole registers, so that a row's products have one shape beside all rows of nearly its length */
    private static List<AttentionChunk> ofRows(Tensor q, Tensor k, AttentionMask mask, boolean widens, boolean steady) {
        long batch = q.size(0);
        long queries = q.size(2);
        long keys = k.size(2);
        long blocks = mask.causal() ? (queries + BLOCK - 1) / BLOCK : 1;
        Tensor additive = widens ? widened(mask, lanes(keys) - keys) : mask.additive();
        long each = Math.max(1, q.size(1) * queries * keys / blocks);
        long rows = Math.min(batch, Math.max(1, SCORES / each));
        List<AttentionChunk> chunks = new ArrayList<>();
        for (long first = 0; first < batch; first += rows) {
            long count = Math.min(rows, batch - first);
            long padding = queries - 1;
            for (long row = first; row < first + count; row++) {
                padding = Math.min(padding, mask.padding()[(int) row]);
            }
            padding = steady ? padding / LANES * LANES : padding;
            long real = queries - padding;
            for (long block = 0; block < blocks; block++) {
                long start = real * block / blocks;
                long end = real * (block + 1) / blocks;
                long seen = mask.causal() ? keys - queries + end : keys - padding;
                if (end > start) {
                    long wide = widens ? lanes(seen) : seen;
                    chunks.add(chunk(additive, mask, first, count, start, end - start, wide));
                }
            }
        }
        return chunks;
    }

    /** Returns the additive values of a mask, extended by more keys that no query sees. */
    private static @Nullable Tensor widened(AttentionMask mask, long more) {
        Tensor additive = mask.additive();
        if (more == 0) {
            return additive;
        }
        Tensor all = additive == null
                ? Tensors.zeros(mask.type(), 1, 1, 1, mask.keys().size(1))
                : additive;
        return torch.constant_pad_nd(all, new long[] {0, more}, new Scalar(AttentionMask.HIDDEN));
    }

    private static AttentionChunk chunk(
            @Nullable Tensor hiding, AttentionMask mask, long first, long rows, long start, long queries, long keys) {
        Tensor additive = hiding;
        if (additive != null) {
            additive = additive.size(0) == 1 ? additive : additive.narrow(0, first, rows);
            additive = ofQueries(additive, start, queries).narrow(3, 0, keys);
        }
        Tensor sees = mask.hasKeys();
        if (sees != null) {
            sees = sees.narrow(0, first, rows).narrow(2, start, queries);
        }
        return new AttentionChunk(first, rows, start, queries, 0, 0, keys, additive, sees, mask.alibi());
    }

    /** Returns the additive values of a mask for some of the queries. */
    static Tensor ofQueries(Tensor additive, long start, long queries) {
        return additive.size(2) == 1 ? additive : additive.narrow(2, start, queries);
    }
}
