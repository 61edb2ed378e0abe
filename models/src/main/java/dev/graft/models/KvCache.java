package dev.graft.models;

import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The keys and values of a batch so far, in memory allocated once: per layer {@code [batch, heads, capacity, headDim]}. Used by one
 * thread, outside gradient recording.
 */
public final class KvCache implements AutoCloseable {
    private final long capacity;
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private @Nullable Tensor mask;
    private long length;

    /** A cache for sequences of at most this many positions, prompts and prefixes included. */
    public KvCache(long capacity) {
        this.capacity = capacity;
    }

    /** How many positions are filled. */
    public long length() {
        return length;
    }

    /** 1 for positions that may be attended to, {@code [batch, length]} int64; null while empty. */
    public @Nullable Tensor mask() {
        return mask;
    }

    /** Ends a pass: its positions are filled. */
    public void advance(Tensor wholeMask) {
        Tensor kept = wholeMask.clone();
        Tensor old = mask;
        kept.retainReference();
        mask = kept;
        length = kept.size(1);
        if (old != null) {
            old.releaseReference();
        }
    }

    /** Writes a layer's new keys or values behind the old ones; returns all so far as a view. */
    Tensor append(boolean key, int layer, Tensor fresh) {
        List<Tensor> stores = key ? keys : values;
        if (layer == stores.size()) {
            Tensor store = Tensors.empty(fresh.scalar_type(), fresh.size(0), fresh.size(1), capacity, fresh.size(3));
            store.retainReference();
            stores.add(store);
        }
        long end = length + fresh.size(2);
        if (end > capacity) {
            throw new IllegalStateException("the cache holds " + capacity + " positions, " + end + " are needed");
        }
        Tensor store = stores.get(layer);
        store.narrow(2, length, fresh.size(2)).copy_(fresh);
        return store.narrow(2, 0, end);
    }

    /** Keeps only the given rows of the batch, in that order: int64 {@code [rows]}. */
    public void select(Tensor rows) {
        reselect(keys, rows);
        reselect(values, rows);
        Tensor old = mask;
        if (old != null) {
            Tensor kept = old.index_select(0, rows);
            kept.retainReference();
            mask = kept;
            old.releaseReference();
        }
    }

    private static void reselect(List<Tensor> stores, Tensor rows) {
        for (int i = 0; i < stores.size(); i++) {
            Tensor old = stores.get(i);
            Tensor kept = old.index_select(0, rows);
            kept.retainReference();
            stores.set(i, kept);
            old.releaseReference();
        }
    }

    @Override
    public void close() {
        keys.forEach(Tensor::releaseReference);
        values.forEach(Tensor::releaseReference);
        keys.clear();
        values.clear();
        if (mask != null) {
            mask.releaseReference();
            mask = null;
        }
        length = 0;
    }
}
