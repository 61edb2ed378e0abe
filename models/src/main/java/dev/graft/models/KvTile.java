package dev.graft.models;

import dev.graft.models.sites.Attention;
import dev.graft.tensor.FusedAttention;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of texts that are written together, a row each: per layer {@code [rows, heads, capacity, headDim]}. In bf16 one
 * loop, or two products, adds a position to all rows and attends in all of them; what a row is given doesn't depend on what the others hold. Grows with the longest
 * text, and is freed when the last one has left. Used by one thread, outside gradient recording.
 *
 * <pre>{@code
 * KvCache cache = tile.row(3, prompt.length + 100);
 * base.hidden(prompt, Pass.cached(hooks, cache));
 * }</pre>
 */
public final class KvTile {
    /** Positions come in as many at once, and as many are attended to at once: the sums over them then end in zeros, never elsewhere. */
    private static final long STEP = 64;

    private final @Nullable KvCache[] rows;
    private final Map<Integer, Tensor> keys = new TreeMap<>();
    private final Map<Integer, Tensor> values = new TreeMap<>();
    private final Map<Object, RepeatedLayers> repeated = new IdentityHashMap<>();
    private long capacity = STEP;

    /** A tile without texts. */
    public KvTile(int rows) {
        this.rows = new KvCache[rows];
    }

    /** The cache of a text of at most so many tokens, which has this row until it is closed. */
    public KvCache row(int row, long tokens) {
        if (rows[row] != null) {
            throw new IllegalStateException("row " + row + " has a text");
        }
        KvCache cache = new KvCache(tokens, this, row);
        rows[row] = cache;
        return cache;
    }

    /** A row's part of a layer's keys or values, which are made where the layer is new. */
    Tensor store(boolean key, int layer, int row, Tensor like) {
        Tensor store = (key ? keys : values).computeIfAbsent(layer, absent -> {
            Tensor fresh = Tensors.zeros(like.scalar_type(), rows.length, like.size(1), capacity, like.size(3));
            fresh.retainReference();
            return fresh;
        });
        return store.narrow(0, row, 1);
    }

    /** Makes room for so many positions of each row. */
    void reserve(long positions) {
        if (positions <= capacity) {
            return;
        }
        repeated.values().forEach(RepeatedLayers::close);
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
                        cache.moved(key, layer, store.narrow(0, row, 1));
                    }
                }
                return store;
            });
        }
        capacity = larger;
    }

    /**
     * Says that a text has left its row. What it leaves there is cleared: hidden positions count as zero times what they hold, which for a
     * number that overflowed is no zero.
     */
    void leave(int row, KvCache text) {
        if (rows[row] != text) {
            return;
        }
        rows[row] = null;
        boolean empty = Arrays.stream(rows).allMatch(cache -> cache == null);
        try (NoGrad off = new NoGrad();
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
            repeated.values().forEach(RepeatedLayers::close);
            keys.clear();
            values.clear();
            capacity = STEP;
        }
    }

    private static long roundedUp(long positions) {
        return (positions + STEP - 1) / STEP * STEP;
    }

    /**
     * The next position of each row: for a text that isn't written now it is behind what the text has, and forgotten.
     *
     * @param type of the scores
     */
    Step next(boolean[] written, ScalarType type) {
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
            Arrays.fill(hidden, row * width + visible, (row + 1) * width, (float) AttentionMask.HIDDEN);
        }
        Map<Long, Tensor> flat = new HashMap<>();
        for (Tensor store : keys.values()) {
            flat.computeIfAbsent(store.size(1), heads -> flat(places, heads));
        }
        return new Step(Ops.to(Tensors.of(hidden, rows.length, 1, 1, width), type), flat, places);
    }

    /** Where a position is among those of all rows and heads, {@code [rows · heads]} int64. */
    private Tensor flat(long[] places, long heads) {
        long[] flat = new long[places.length * (int) heads];
        for (int i = 0; i < flat.length; i++) {
            flat[i] = i * capacity + places[i / (int) heads];
        }
        return Tensors.of(flat, flat.length);
    }

    /** One more position of each row. */
    final class Step {
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
        private Step(Tensor hidden, Map<Long, Tensor> flat, long[] places) {
            this.hidden = hidden;
            this.flat = flat;
            this.places = places;
            behind = Tensors.of(places, places.length);
        }

        /**
         * What layers give.
         *
         * @param whose the layers
         * @param way equal where the same acts in them
         * @param given what they are given, made for this step alone
         */
        Tensor repeated(Object whose, Object way, List<Tensor> given, Supplier<Tensor> layers) {
            List<Tensor> all = new ArrayList<>(given);
            all.add(behind);
            return repeated.computeIfAbsent(whose, fresh -> new RepeatedLayers())
                    .run(way, all, layers);
        }

        /**
         * What each row's query is given.
         *
         * @param q {@code [rows, heads, 1, headDim]}
         * @param key of the position, {@code [rows, kvHeads, 1, headDim]}
         * @param value likewise
         * @param alibi what is added to scores by the distance of the keys, or null for nothing
         * @return {@code [rows, 1, heads · headDim]}
         */
        Tensor attend(Attention site, Tensor q, Tensor key, Tensor value, Alibi.@Nullable Bias alibi) {
            long kvHeads = key.size(1);
            long group = q.size(1) / kvHeads;
            if (site.cap() == null && alibi == null) {
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
            Tensor products = Ops.batched(queries, k.transpose(1, 2));
            SoftCap cap = site.cap();
            Tensor scores = cap == null ? products : cap.apply(products);
            Tensor each = scores.view(q.size(0), kvHeads, group, scores.size(2)).add_(hidden);
            if (alibi != null) {
                alibi.addTo(each, places);
            }
            return Ops.batched(scores.softmax(-1), v).view(q.size(0), 1, q.size(1) * q.size(3));
        }

        /** The positions up to this one, which is put there, {@code [rows · heads, width, headDim]}. */
        private Tensor added(Tensor store, Tensor fresh) {
            long d = store.size(3);
            store.view(-1, d).index_copy_(0, Objects.requireNonNull(flat.get(store.size(1))), fresh.reshape(-1, d));
            return store.flatten(0, 1).narrow(1, 0, hidden.size(3));
        }
    }
}
