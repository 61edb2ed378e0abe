package dev.graft.models.cache;

import dev.graft.models.forward.Inputs;
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
 * The state that a model keeps of a batch so far. Keys and values are in memory of their own or in a row of a {@link BatchedKvCache}: per layer
 * {@code [batch, heads, capacity, headDim]}. A prefix comes first, then a prompt, then the tokens. Recurrent layers have a
 * {@link RecurrentState}. Used by one thread, outside gradient recording.
 *
 * <pre>{@code
 * try (KvCache cache = new KvCache(prompt.width() + 100)) {
 *     base.forward(prompt, ForwardPass.cached(hooks, cache));
 *     base.forward(new Inputs(next, ones, null, cache.positions(ones)), ForwardPass.cached(hooks, cache));
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
    private long longestText;
    private long lastPass;
    private final RecurrentState state = new RecurrentState();
    private long prefix;
    private long prompt;
    private final Map<Object, KvCache> companion = new IdentityHashMap<>();
    private final @Nullable Storage storage;
    private final int row;

    /** Memory shared by the caches of several texts, a row for each. */
    public interface Storage {
        /** Returns a row's part of a layer's keys or values, which are allocated for a new layer. */
        Tensor store(boolean key, int layer, int row, Tensor like);

        /** Reserves memory for that many positions of each row. */
        void reserve(long positions);

        /** Clears the row of a text that has ended. */
        void release(int row, KvCache text);
    }

    /** Creates a cache for sequences of at most this many tokens; a prefix and a prompt have additional memory. */
    public KvCache(long tokens) {
        this(tokens, null, 0);
    }

    /** Creates a cache with its keys and values in a row of shared memory. */
    KvCache(long tokens, @Nullable Storage storage, int row) {
        this.tokens = tokens;
        this.storage = storage;
        this.row = row;
    }

    /** The shared memory of its keys and values, or null. */
    public @Nullable Storage storage() {
        return storage;
    }

    /** Receives the new place of a layer's keys or values in the shared memory. */
    void onMoved(boolean key, int layer, Tensor store) {
        (key ? keys : values).computeIfPresent(layer, (same, old) -> {
            old.releaseReference();
            return retained(store);
        });
    }

    /** Reserves memory for sequences of that many tokens, if there is less. */
    public void reserve(long most) {
        if (most <= tokens) {
            return;
        }
        tokens = most;
        companion.values().forEach(other -> other.reserve(most));
        for (Map<Integer, Tensor> stores : storage == null ? List.of(keys, values) : List.<Map<Integer, Tensor>>of()) {
            stores.replaceAll((layer, old) -> {
                Tensor larger = retained(Tensors.empty(
                        old.scalar_type(), old.size(0), old.size(1), most + virtualPositions(), old.size(3)));
                larger.narrow(2, 0, length).copy_(old.narrow(2, 0, length));
                old.releaseReference();
                return larger;
            });
        }
    }

    /** Returns the cache of another reader of the same tokens: the model without adapters, or a side network. */
    public KvCache companion(Object reader) {
        KvCache other = companion.computeIfAbsent(reader, fresh -> new KvCache(tokens));
        if (other.length != length - virtualPositions()) {
            throw new IllegalStateException("what reads beside the model has read " + other.length + " tokens of the "
                    + (length - virtualPositions()) + " in the cache: other adapters have filled it");
        }
        other.longestText = longestText;
        return other;
    }

    /** The state of recurrent layers. */
    public RecurrentState state() {
        return state;
    }

    /**
     * Keeps the longest common beginning of its one row and a text, without the text's last token, and removes the rest. Removes everything if a
     * recurrent state has read more than that.
     *
     * @param text the token ids of the new text
     * @return the number of tokens that are kept
     */
    public int keepBeginning(int[] text) {
        alone();
        if (ids == null || mask == null || ids.size(0) != 1) {
            close();
            return 0;
        }
        long[] cached = Tensors.longs(ids.narrow(1, prompt, tokenPositions() - prompt));
        int most = Math.min(cached.length, text.length - 1);
        int common = 0;
        while (common < most && cached[common] == text[common]) {
            common++;
        }
        if (!state.isEmpty() && virtualPositions() + common != length) {
            close();
            return 0;
        }
        length = virtualPositions() + common;
        mask = first(mask, length);
        ids = first(ids, prompt + common);
        companion.values().forEach(other -> other.keepBeginning(text));
        return common;
    }

    /**
     * Removes everything after the first positions, a whole pass or an interrupted one.
     *
     * @throws IllegalStateException if a recurrent state has read more by passes before the last one
     */
    public void truncate(long positions) {
        if (positions >= length) {
            state.discard();
        } else if (state.isEmpty() || positions == lastPass) {
            state.rewind();
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
        companion.values().forEach(other -> other.truncate(positions - virtualPositions()));
    }

    /**
     * Returns a copy of some tokens of its one row, which must have neither a prefix nor a prompt. A recurrent state is copied whole, so the
     * tokens must be the last ones.
     */
    public KvCache slice(long from, long count) {
        if (mask == null || ids == null || mask.size(0) != 1 || virtualPositions() > 0 || from + count > length) {
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
        companion.forEach((reader, other) -> copy.companion.put(reader, other.slice(from, count)));
        return copy;
    }

    /** Appends a copy of a {@link #slice}, as if a pass had read its tokens. */
    public void appendSlice(KvCache slice) {
        for (int layer : slice.keys.keySet()) {
            append(true, layer, slice.keys(layer));
            append(false, layer, slice.values(layer));
        }
        state.set(slice.state);
        if (slice.ids != null && slice.mask != null) {
            tokens(slice.ids);
            advance(mask == null ? slice.mask : Ops.cat(1, mask, slice.mask));
        }
        slice.companion.forEach((reader, other) ->
                companion.computeIfAbsent(reader, fresh -> new KvCache(tokens)).appendSlice(other));
    }

    /** The allocated memory in bytes. */
    public long bytes() {
        long bytes = state.bytes()
                + companion.values().stream().mapToLong(KvCache::bytes).sum();
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

    /** The number of filled positions, including a prefix and a prompt. */
    public long length() {
        return length;
    }

    /** The length of the longest text of the next passes, if known; rotary angles may depend on it. */
    public long longestText() {
        return longestText;
    }

    /** Sets the length of the longest text of the next passes. */
    public void longestText(long positions) {
        longestText = positions;
    }

    /** The number of positions before the tokens. */
    public long virtualPositions() {
        return prefix + prompt;
    }

    /** 1 for positions that may be attended to, {@code [batch, length]} int64; null while empty. */
    public @Nullable Tensor mask() {
        return mask;
    }

    /**
     * Returns the positions of new tokens after the cached ones, counted from the masks, {@code [batch, seq]}. {@link Inputs} needs them if rows
     * are padded on the left.
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

    /**
     * The number of positions that count without padding: all but the prefix, which moves positions by {@link #shift}.
     */
    public long tokenPositions() {
        return length - prefix;
    }

    /** The distance by which the prefix moves positions, {@code [batch, 1]} int64; null for none. */
    public @Nullable Tensor positionShift() {
        return shift;
    }

    /** The distance by which the prefix moves keys but not queries, {@code [batch, 1]} int64; null for none. */
    public @Nullable Tensor keyShift() {
        return ahead;
    }

    /** Begins the first pass, with that many positions before the tokens. */
    public void begin(long prefixRows, long promptRows, @Nullable Tensor positionShift, @Nullable Tensor keyShift) {
        prefix = prefixRows;
        prompt = promptRows;
        shift = positionShift == null ? null : retained(positionShift.clone());
        ahead = keyShift == null ? null : retained(keyShift.clone());
    }

    /** Adds the tokens of a pass, {@code [batch, seq]} int64; returns all tokens so far. */
    public Tensor tokens(Tensor fresh) {
        Tensor old = ids;
        Tensor all = retained(old == null ? fresh.clone() : Ops.cat(1, old, fresh));
        ids = all;
        if (old != null) {
            old.releaseReference();
        }
        return all;
    }

    /** Ends a pass and marks its positions as filled. */
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

    /** Appends a layer's new keys or values, {@code [batch, heads, seq, headDim]}; returns a view of all so far. */
    public Tensor append(boolean key, int layer, Tensor fresh) {
        Map<Integer, Tensor> stores = key ? keys : values;
        long capacity = tokens + virtualPositions();
        long end = length + fresh.size(2);
        if (end > capacity) {
            throw new IllegalStateException("the cache holds " + capacity + " positions, " + end + " are needed");
        }
        if (storage != null) {
            storage.reserve(end);
        }
        if (!stores.containsKey(layer)) {
            stores.put(
                    layer,
                    retained(
                            storage == null
                                    ? Tensors.empty(
                                            fresh.scalar_type(), fresh.size(0), fresh.size(1), capacity, fresh.size(3))
                                    : storage.store(key, layer, row, fresh)));
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

    /** The mask of the encoder's positions that a decoder attends to, {@code [batch, seq]}. */
    public Tensor source() {
        if (source == null) {
            throw new IllegalStateException("no encoder has run");
        }
        return source;
    }

    /** The mask of {@link #source()}, or null if there is none. */
    public @Nullable Tensor sourceOrNull() {
        return source;
    }

    /** Stores the mask of the encoder's positions. */
    public void keepSource(Tensor sourceMask) {
        source = retained(sourceMask.clone());
    }

    /**
     * Returns a decoder layer's keys and values of its encoder's positions, computed in the first pass and kept for later ones.
     *
     * @param cache null if they aren't kept
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
        companion.values().forEach(other -> other.select(rows));
    }

    private static Tensor reselected(Tensor old, Tensor index) {
        Tensor kept = retained(old.index_select(0, index));
        old.releaseReference();
        return kept;
    }

    private void alone() {
        if (storage != null) {
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
        companion.values().forEach(KvCache::close);
        companion.clear();
        lastPass = 0;
        length = 0;
        longestText = 0;
        prefix = 0;
        prompt = 0;
        if (storage != null) {
            storage.release(row, this);
        }
    }
}
