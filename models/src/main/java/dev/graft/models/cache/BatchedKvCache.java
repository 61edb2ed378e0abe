package dev.graft.models.cache;

import dev.graft.models.functions.SoftCap;
import dev.graft.models.sites.Attention;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedAttention;
import dev.graft.tensor.ops.Products;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of texts that are generated together, one row each: per layer {@code [rows, heads, capacity, headDim]}. In bf16 one loop,
 * or two products, appends a position to all rows and computes their attention. The result of a row doesn't depend on the contents of the others.
 * The memory grows with the longest text, and is freed when the last one ends. Used by one thread, outside gradient recording.
 *
 * <pre>{@code
 * KvCache cache = batched.row(3, prompt.length + 100);
 * base.forward(prompt, ForwardPass.cached(hooks, cache));
 * }</pre>
 */
public final class BatchedKvCache implements KvCache.Storage {
    /** Positions come in as many at once, and as many are attended to at once: the sums over them then end in zeros, never elsewhere. */
    private static final long STEP = 64;

    /** The score of a position that a query doesn't see. */
    private static final float HIDDEN = -1e30f;

    private final @Nullable KvCache[] rows;
    private final Map<Integer, Tensor> keys = new TreeMap<>();
    private final Map<Integer, Tensor> values = new TreeMap<>();
    private final Map<Object, ReplayedLayers> repeated = new IdentityHashMap<>();
    private long capacity = STEP;

    /** Creates an empty cache of that many rows. */
    public BatchedKvCache(int rows) {
        this.rows = new KvCache[rows];
    }

    /** Returns the cache of a text of at most {@code tokens} tokens, which occupies this row until it is closed. */
    public KvCache row(int row, long tokens) {
        if (rows[row] != null) {
            throw new IllegalStateException("row " + row + " has a text");
        }
        KvCache cache = new KvCache(tokens, this, row);
        rows[row] = cache;
        return cache;
    }

    /**
     * Returns a row's part of a layer's keys or values, {@code [1, heads, capacity, headDim]}; allocates them for a new layer.
     */
    @Override
    public Tensor store(boolean key, int layer, int row, Tensor like) {
        Tensor store = (key ? keys : values).computeIfAbsent(layer, absent -> {
            Tensor fresh = Tensors.zeros(like.scalar_type(), rows.length, like.size(1), capacity, like.size(3));
            fresh.retainReference();
            return fresh;
        });
        return store.narrow(0, row, 1);
    }

    /** Reserves memory for that many positions of each row. */
    @Override
    public void reserve(long positions) {
        if (positions <= capacity) {
            return;
        }
        repeated.values().forEach(ReplayedLayers::close);
        long larger = roundedUp(Math.max(positions, capacity + capacity / 4));
        for (boolean key : new boolean[] {true, false}) {
            (key ? keys : values).replaceAll((layer, old) -> {
                Tensor store = Tensors.empty(old.scalar_type(), old.size(0), old.size(1), larger, old.size(3));
                store.narrow(2, 0, capacity).copy_(old);
                store.narrow(2, capacity, larger - capacity).zero_();
                store.retainReference();
                old.releaseReference();
                for (int row = 0; row < rows.length; row++) {
                    KvCache cache = rows[row];
                    if (cache != null) {
                        cache.onMoved(key, layer, store.narrow(0, row, 1));
                    }
                }
                return store;
            });
        }
        capacity = larger;
    }

    /**
     * Removes a text from its row and clears the row. Hidden positions count as zero times their contents, which isn't zero for an overflowed
     * number.
     */
    @Override
    public void release(int row, KvCache text) {
        if (rows[row] != text) {
            return;
        }
        rows[row] = null;
        boolean empty = Arrays.stream(rows).allMatch(cache -> cache == null);
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Map<Integer, Tensor> stores : List.of(keys, values)) {
                for (Tensor store : stores.values()) {
                    if (empty) {
                        store.releaseReference();
                    } else {
                        store.select(0, row).zero_();
                    }
                }
            }
        }
        if (empty) {
            repeated.values().forEach(ReplayedLayers::close);
            keys.clear();
            values.clear();
            capacity = STEP;
        }
    }

    private static long roundedUp(long positions) {
        return (positions + STEP - 1) / STEP * STEP;
    }

    /**
     * Returns the next position of each row. For texts that this step doesn't extend, it is overwritten later.
     *
     * @param written whether the step extends the text of each row
     * @param type the type of the scores
     */
    public DecodeStep nextStep(boolean[] written, ScalarType type) {
        long[] places = new long[rows.length];
        long longest = 0;
        long seen = 0;
        for (int row = 0; row < rows.length; row++) {
            KvCache cache = rows[row];
            places[row] = cache == null ? 0 : cache.length();
            longest = Math.max(longest, places[row] + 1);
            seen = written[row] ? Math.max(seen, places[row] + 1) : seen;
        }
        reserve(longest);
        int width = (int) roundedUp(seen);
        float[] hidden = new float[rows.length * width];
        for (int row = 0; row < rows.length; row++) {
            int visible = (int) Math.min(width, places[row] + 1);
            Arrays.fill(hidden, row * width + visible, (row + 1) * width, HIDDEN);
        }
        Map<Long, Tensor> flat = new HashMap<>();
        for (Tensor store : keys.values()) {
            flat.computeIfAbsent(store.size(1), heads -> flat(places, heads));
        }
        return new DecodeStep(Ops.to(Tensors.of(hidden, rows.length, 1, 1, width), type), flat, places);
    }

    /** Returns the index of a position among those of all rows and heads, {@code [rows · heads]} int64. */
    private Tensor flat(long[] places, long heads) {
        long[] flat = new long[places.length * (int) heads];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = i * capacity + places[i / (int) heads];
        }
        return Tensors.of(flat, flat.length);
    }

    /** One more position of each row. */
    public final class DecodeStep {
        private final Tensor hidden;
        private final Map<Long, Tensor> flat;
        private final long[] places;
        private final Tensor behind;

        /**
         * A position of each row.
         *
         * @param hidden what is added to the scores of the positions, {@code [rows, 1, 1, width]}
         * @param flat where it is, by the number of heads
         * @param places behind how many others it is
         */
        private DecodeStep(Tensor hidden, Map<Long, Tensor> flat, long[] places) {
            this.hidden = hidden;
            this.flat = flat;
            this.places = places;
            behind = Tensors.of(places, places.length);
        }

        /**
         * Runs layers, or replays an equal step.
         *
         * @param whose the owner of the layers
         * @param way the key of the step, equal if the same hooks run in the layers
         * @param given the layers' inputs, created for this step alone
         */
        public Tensor replayed(Object whose, Object way, List<Tensor> given, Supplier<Tensor> layers) {
            List<Tensor> all = new ArrayList<>(given);
            all.add(behind);
            return repeated.computeIfAbsent(whose, fresh -> new ReplayedLayers())
                    .run(way, all, layers);
        }

        /**
         * Returns the attention output of each row's query.
         *
         * @param q {@code [rows, heads, 1, headDim]}
         * @param key the keys of the position, {@code [rows, kvHeads, 1, headDim]}
         * @param value the values likewise
         * @param bias receives the scores and the number of positions before each row's query, and adds a bias; null for none
         * @return {@code [rows, 1, heads · headDim]}
         */
        public Tensor attend(
                Attention site, Tensor q, Tensor key, Tensor value, @Nullable BiConsumer<Tensor, long[]> bias) {
            long kvHeads = key.size(1);
            long group = q.size(1) / kvHeads;
            if (site.cap() == null && bias == null) {
                Tensor fused = FusedAttention.attendNext(
                        q,
                        key,
                        value,
                        Objects.requireNonNull(keys.get(site.layer())),
                        Objects.requireNonNull(values.get(site.layer())),
                        behind,
                        site.scale());
                if (fused != null) {
                    return fused;
                }
            }
            Tensor k = added(Objects.requireNonNull(keys.get(site.layer())), key);
            Tensor v = added(Objects.requireNonNull(values.get(site.layer())), value);
            Tensor queries = Ops.scale(q, site.scale()).reshape(q.size(0) * kvHeads, group, q.size(3));
            Tensor products = Products.batched(queries, k.transpose(1, 2));
            SoftCap cap = site.cap();
            Tensor scores = cap == null ? products : cap.apply(products);
            Tensor each = scores.view(q.size(0), kvHeads, group, scores.size(2)).add_(hidden);
            if (bias != null) {
                bias.accept(each, places);
            }
            return Products.batched(scores.softmax(-1), v).view(q.size(0), 1, q.size(1) * q.size(3));
        }

        /** The positions up to this one, which is put there, {@code [rows · heads, width, headDim]}. */
        private Tensor added(Tensor store, Tensor fresh) {
            long d = store.size(3);
            store.view(-1, d).index_copy_(0, Objects.requireNonNull(flat.get(store.size(1))), fresh.reshape(-1, d));
            return store.flatten(0, 1).narrow(1, 0, hidden.size(3));
        }
    }
}
