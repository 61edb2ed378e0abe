package dev.graft.models;

import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What a model keeps of a batch so far. Keys and values are in memory allocated once or in a row of a {@link KvTile}: per layer {@code [batch, heads, capacity, headDim]}. A prefix comes
 * first, then a prompt, then the tokens. Recurrent layers have a {@link State}. Used by one thread, outside gradient recording.
 *
 * <pre>{@code
 * try (KvCache cache = new KvCache(prompt.width() + 100)) {
 *     base.hidden(prompt, Pass.cached(hooks, cache));
 *     base.hidden(new Inputs(next, ones, null, cache.positions(ones)), Pass.cached(hooks, cache));
 * }
 * }</pre>
 */
public final class KvCache implements AutoCloseable {
    private long tokens;
    private final Map<Integer, Tensor> keys = new TreeMap<>();
    private final Map<Integer, Tensor> values = new TreeMap<>();
    private final List<Tensor> sourceKeys = new ArrayList<>();
    private final List<Tensor> sourceValues = new ArrayList<>();
    private @Nullable Tensor source;
    private @Nullable Tensor mask;
    private @Nullable Tensor ids;
    private @Nullable Tensor shift;
    private @Nullable Tensor ahead;
    private long length;
    private long reach;
    private long lastPass;
    private final State state = new State();
    private long prefix;
    private long prompt;
    private final Map<Backbone, KvCache> beside = new IdentityHashMap<>();
    private final @Nullable KvTile tile;
    private final int row;

    /** A cache for sequences of at most this many tokens; a prefix and a prompt have their own room. */
    public KvCache(long tokens) {
        this(tokens, null, 0);
    }

    /** A cache whose keys and values stand in a row of a tile. */
    KvCache(long tokens, @Nullable KvTile tile, int row) {
        this.tokens = tokens;
        this.tile = tile;
        this.row = row;
    }

    /** The tile that it stands in, or null. */
    @Nullable
    KvTile tile() {
        return tile;
    }

    /** Says where the tile has a layer's keys or values now. */
    void moved(boolean key, int layer, Tensor store) {
        (key ? keys : values).computeIfPresent(layer, (same, old) -> {
            old.releaseReference();
            return retained(store);
        });
    }

    /** Makes room for sequences of that many tokens, where there is less. */
    public void reserve(long most) {
        if (most <= tokens) {
            return;
        }
        tokens = most;
        beside.values().forEach(other -> other.reserve(most));
        for (Map<Integer, Tensor> stores : tile == null ? List.of(keys, values) : List.<Map<Integer, Tensor>>of()) {
            stores.replaceAll((layer, old) -> {
                Tensor larger = retained(
                        Tensors.empty(old.scalar_type(), old.size(0), old.size(1), most + virtual(), old.size(3)));
                larger.narrow(2, 0, length).copy_(old.narrow(2, 0, length));
                old.releaseReference();
                return larger;
            });
        }
    }

    /** The cache of another reading of the same tokens: by the model without what acts in it, or by a network beside it. */
    KvCache beside(Backbone reader) {
        KvCache other = beside.computeIfAbsent(reader, fresh -> new KvCache(tokens));
        if (other.length != length - virtual()) {
            throw new IllegalStateException("what reads beside the model has read " + other.length + " tokens of the "
                    + (length - virtual()) + " in the cache: other adapters have filled it");
        }
        other.reach = reach;
        return other;
    }

    /** What recurrent layers have kept. */
    State state() {
        return state;
    }

    /**
     * Keeps what its one row has in common with the beginning of a text, short of the text's last token, and forgets the rest; all of it where a
     * recurrent state has read more than that.
     *
     * @return how many tokens of the text are kept
     */
    public int keepBeginning(int[] text) {
        alone();
        if (ids == null || mask == null || ids.size(0) != 1) {
            close();
            return 0;
        }
        long[] cached = Tensors.longs(ids.narrow(1, prompt, counted() - prompt));
        int most = Math.min(cached.length, text.length - 1);
        int common = 0;
        while (common < most && cached[common] == text[common]) {
            common++;
        }
        if (!state.isEmpty() && virtual() + common != length) {
            close();
            return 0;
        }
        length = virtual() + common;
        mask = first(mask, length);
        ids = first(ids, prompt + common);
        beside.values().forEach(other -> other.keepBeginning(text));
        return common;
    }

    /**
     * Forgets what a pass has put behind the first positions, a whole pass or one that failed on its way.
     *
     * @throws IllegalStateException if a recurrent state has read more by passes before the last one
     */
    public void cut(long positions) {
        if (positions >= length) {
            state.drop();
        } else if (state.isEmpty() || positions == lastPass) {
            state.back();
        } else {
            throw new IllegalStateException("a recurrent state has read " + length
                    + " positions, the last pass those from " + lastPass + " on: it can't be cut to " + positions);
        }
        lastPass = Math.min(length, positions);
        if (mask != null && mask.size(1) > positions) {
            mask = first(mask, positions);
        }
        if (ids != null && ids.size(1) > positions - prefix) {
            ids = first(ids, positions - prefix);
        }
        length = Math.min(length, positions);
        beside.values().forEach(other -> other.cut(positions - virtual()));
    }

    /**
     * A copy of what it holds of some tokens of its one row, before which there is neither a prefix nor a prompt. A recurrent state is whole
     * in it, so they must be the last tokens.
     */
    public KvCache part(long from, long count) {
        if (mask == null || ids == null || mask.size(0) != 1 || virtual() > 0 || from + count > length) {
            throw new IllegalStateException(
                    "the cache has no single row with the tokens " + from + " to " + (from + count));
        }
        if (!state.isEmpty() && from + count != length) {
            throw new IllegalStateException("a recurrent state has read " + length
                    + " positions: what it kept of the first " + (from + count) + " is gone");
        }
        KvCache copy = new KvCache(count);
        copy.state.set(state);
        copy.state.advance();
        copy.length = count;
        copy.mask = retained(mask.narrow(1, from, count).clone());
        copy.ids = retained(ids.narrow(1, from, count).clone());
        keys.forEach((layer, key) ->
                copy.keys.put(layer, retained(key.narrow(2, from, count).clone())));
        values.forEach((layer, value) ->
                copy.values.put(layer, retained(value.narrow(2, from, count).clone())));
        beside.forEach((reader, other) -> copy.beside.put(reader, other.part(from, count)));
        return copy;
    }

    /** Puts a copy of a {@link #part} behind what it holds, as if a pass had read its tokens. */
    public void read(KvCache part) {
        for (int layer : part.keys.keySet()) {
            append(true, layer, part.keys(layer));
            append(false, layer, part.values(layer));
        }
        state.set(part.state);
        if (part.ids != null && part.mask != null) {
            tokens(part.ids);
            advance(mask == null ? part.mask : Ops.cat(1, mask, part.mask));
        }
        part.beside.forEach((reader, other) ->
                beside.computeIfAbsent(reader, fresh -> new KvCache(tokens)).read(other));
    }

    /** The bytes of the memory that it has taken. */
    public long bytes() {
        long bytes = state.bytes()
                + beside.values().stream().mapToLong(KvCache::bytes).sum();
        for (Map<Integer, Tensor> stores : List.of(keys, values)) {
            for (Tensor store : stores.values()) {
                bytes += store.numel() * store.element_size();
            }
        }
        return bytes;
    }

    private static Tensor first(Tensor old, long columns) {
        Tensor kept = retained(old.narrow(1, 0, columns).clone());
        old.releaseReference();
        return kept;
    }

    /** How many positions are filled, those of a prefix and a prompt included. */
    public long length() {
        return length;
    }

    /** The length of the longest text that the next passes belong to, where it is known; angles may depend on it. */
    public long reach() {
        return reach;
    }

    /** Says how long the longest text is that the next passes belong to. */
    public void reach(long positions) {
        reach = positions;
    }

    /** How many positions were put before the tokens. */
    public long virtual() {
        return prefix + prompt;
    }

    /** 1 for positions that may be attended to, {@code [batch, length]} int64; null while empty. */
    public @Nullable Tensor mask() {
        return mask;
    }

    /**
     * The positions of new tokens behind what is cached, counted from the masks, {@code [batch, seq]}: what {@link Inputs} needs where
     * rows are padded on the left.
     *
     * @param fresh the mask of the new tokens, {@code [batch, seq]} int64
     */
    public Tensor positions(Tensor fresh) {
        Tensor counted = fresh.cumsum(1).sub(new Scalar(1L));
        if (mask != null) {
            counted = counted.add(Ops.sum(mask.narrow(1, prefix, length - prefix), 1, true));
        }
        return counted.clamp_min(new Scalar(0L));
    }

    /** How many positions count when there is no padding: all but the prefix, which moves positions by {@link #shift}. */
    long counted() {
        return length - prefix;
    }

    /** By how much the prefix moves positions, {@code [batch, 1]} int64; null for none. */
    @Nullable
    Tensor shift() {
        return shift;
    }

    /** By how much the prefix moves keys but not queries, {@code [batch, 1]} int64; null for nothing. */
    @Nullable
    Tensor ahead() {
        return ahead;
    }

    /** Begins the first pass, of which so many positions come before the tokens. */
    void begin(long prefixRows, long promptRows, @Nullable Tensor positionShift, @Nullable Tensor keyShift) {
        prefix = prefixRows;
        prompt = promptRows;
        shift = positionShift == null ? null : retained(positionShift.clone());
        ahead = keyShift == null ? null : retained(keyShift.clone());
    }

    /** Adds the tokens of a pass, {@code [batch, seq]} int64; returns all so far. */
    Tensor tokens(Tensor fresh) {
        Tensor old = ids;
        Tensor all = retained(old == null ? fresh.clone() : Ops.cat(1, old, fresh));
        ids = all;
        if (old != null) {
            old.releaseReference();
        }
        return all;
    }

    /** Ends a pass: its positions are filled. */
    public void advance(Tensor wholeMask) {
        Tensor old = mask;
        mask = retained(wholeMask.clone());
        state.advance();
        lastPass = length;
        length = wholeMask.size(1);
        if (old != null) {
            old.releaseReference();
        }
    }

    /** Writes a layer's new keys or values behind the old ones; returns all so far as a view. */
    Tensor append(boolean key, int layer, Tensor fresh) {
        Map<Integer, Tensor> stores = key ? keys : values;
        long capacity = tokens + virtual();
        long end = length + fresh.size(2);
        if (end > capacity) {
            throw new IllegalStateException("the cache holds " + capacity + " positions, " + end + " are needed");
        }
        if (tile != null) {
            tile.reserve(end);
        }
        if (!stores.containsKey(layer)) {
            stores.put(
                    layer,
                    retained(
                            tile == null
                                    ? Tensors.empty(
                                            fresh.scalar_type(), fresh.size(0), fresh.size(1), capacity, fresh.size(3))
                                    : tile.store(key, layer, row, fresh)));
        }
        Tensor store = Objects.requireNonNull(stores.get(layer));
        store.narrow(2, length, fresh.size(2)).copy_(fresh);
        return store.narrow(2, 0, end);
    }

    /** A layer's keys so far, {@code [batch, heads, length, headDim]}. */
    public Tensor keys(int layer) {
        return of(keys, layer);
    }

    /** A layer's values so far, {@code [batch, heads, length, headDim]}. */
    public Tensor values(int layer) {
        return of(values, layer);
    }

    private Tensor of(Map<Integer, Tensor> stores, int layer) {
        return Objects.requireNonNull(stores.get(layer)).narrow(2, 0, length);
    }

    /** The mask of what a decoder attends to in its encoder, {@code [batch, seq]}. */
    public Tensor source() {
        if (source == null) {
            throw new IllegalStateException("no encoder has run");
        }
        return source;
    }

    /** The same, or null where none was kept. */
    public @Nullable Tensor sourceOrNull() {
        return source;
    }

    /** Keeps the mask of what a decoder attends to. */
    public void keepSource(Tensor sourceMask) {
        source = retained(sourceMask.clone());
    }

    /**
     * A decoder layer's keys and values of its encoder's positions, made in the first pass and kept for the later ones.
     *
     * @param cache may be null: then they are made and not kept
     */
    public static Tensor[] source(@Nullable KvCache cache, int layer, Supplier<Tensor[]> made) {
        if (cache == null) {
            return made.get();
        }
        if (layer == cache.sourceKeys.size()) {
            Tensor[] fresh = made.get();
            cache.sourceKeys.add(retained(fresh[0].contiguous()));
            cache.sourceValues.add(retained(fresh[1].contiguous()));
        }
        return new Tensor[] {cache.sourceKeys.get(layer), cache.sourceValues.get(layer)};
    }

    /** Keeps only the given rows of the batch, in that order. */
    public void select(int... rows) {
        alone();
        long[] indices = new long[rows.length];
        for (int i = 0; i < rows.length; i++) {
            indices[i] = rows[i];
        }
        Tensor index = Tensors.of(indices, indices.length);
        for (Map<Integer, Tensor> stores : List.of(keys, values)) {
            stores.replaceAll((layer, store) -> reselected(store, index));
        }
        sourceKeys.replaceAll(store -> reselected(store, index));
        sourceValues.replaceAll(store -> reselected(store, index));
        state.select(index);
        lastPass = length;
        mask = mask == null ? null : reselected(mask, index);
        ids = ids == null ? null : reselected(ids, index);
        source = source == null ? null : reselected(source, index);
        shift = shift == null ? null : reselected(shift, index);
        ahead = ahead == null ? null : reselected(ahead, index);
        beside.values().forEach(other -> other.select(rows));
    }

    private static Tensor reselected(Tensor old, Tensor index) {
        Tensor kept = retained(old.index_select(0, index));
        old.releaseReference();
        return kept;
    }

    private void alone() {
        if (tile != null) {
            throw new IllegalStateException("a text in a tile keeps its row");
        }
    }

    /** Keeps a tensor beyond the scope that it was made in. */
    private static Tensor retained(Tensor tensor) {
        tensor.retainReference();
        return tensor;
    }

    @Override
    public void close() {
        for (Map<Integer, Tensor> stores : List.of(keys, values)) {
            stores.values().forEach(Tensor::releaseReference);
            stores.clear();
        }
        for (List<Tensor> stores : List.of(sourceKeys, sourceValues)) {
            stores.forEach(Tensor::releaseReference);
            stores.clear();
        }
        if (source != null) {
            source.releaseReference();
            source = null;
        }
        if (mask != null) {
            mask.releaseReference();
            mask = null;
        }
        if (ids != null) {
            ids.releaseReference();
            ids = null;
        }
        if (shift != null) {
            shift.releaseReference();
            shift = null;
        }
        if (ahead != null) {
            ahead.releaseReference();
            ahead = null;
        }
        state.close();
        beside.values().forEach(KvCache::close);
        beside.clear();
        lastPass = 0;
        length = 0;
        reach = 0;
        prefix = 0;
        prompt = 0;
        if (tile != null) {
            tile.leave(row, this);
        }
    }
}
