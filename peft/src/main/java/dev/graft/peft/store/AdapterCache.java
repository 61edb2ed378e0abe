package dev.graft.peft.store;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/**
 * The adapters of a store that are in memory: loaded when they are first asked for, the one that was used longest ago dropped first when
 * their bytes pass a budget. One in use or pinned stays.
 *
 * <pre>{@code
 * try (AdapterCache.Lease lease = cache.lease("sql")) {
 *     base.logits(inputs, Pass.inference(Selection.of(lease.adapter()).hooks()));
 * }
 * }</pre>
 */
public final class AdapterCache {
    private final Base base;
    private final Store store;
    private final long budget;
    private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private final Set<String> pinned = new HashSet<>();
    private long bytes;
    private long hits;
    private long loads;
    private long evictions;

    /** An adapter that is there or on its way; guarded by the cache. */
    private static final class Entry {
        private final StoredVersion version;
        private final CompletableFuture<Adapter> adapter = new CompletableFuture<>();
        private int leases;
        private long bytes;

        Entry(StoredVersion version) {
            this.version = version;
        }
    }

    /** What the cache did. */
    public record Counts(int held, long bytes, long hits, long loads, long evictions) {}

    /** An adapter that stays in memory until this is closed. */
    public final class Lease implements AutoCloseable {
        private final Entry entry;
        private boolean closed;

        private Lease(Entry entry) {
            this.entry = entry;
        }

        public Adapter adapter() {
            return entry.adapter.join();
        }

        public StoredVersion version() {
            return entry.version;
        }

        @Override
        public void close() {
            synchronized (AdapterCache.this) {
                if (!closed) {
                    closed = true;
                    entry.leases--;
                    evict(0);
                }
            }
        }
    }

    /** @param budget the bytes that parameters of loaded adapters may take together */
    public AdapterCache(Base base, Store store, long budget) {
        this.base = base;
        this.store = store;
        this.budget = budget;
    }

    /**
     * Takes what a reference means now. Two that ask at once wait for one load; one load doesn't hold up other adapters.
     *
     * @throws UnknownAdapterException if the store has none
     * @throws InputException if it doesn't fit the base, or there is no room for it
     */
    public Lease lease(String reference) {
        StoredVersion version = store.resolve(reference);
        Entry entry;
        boolean first;
        synchronized (this) {
            Entry known = entries.get(key(version));
            first = known == null;
            entry = known == null ? new Entry(version) : known;
            entry.leases++;
            if (first) {
                entries.put(key(version), entry);
            } else {
                hits++;
            }
        }
        Lease lease = new Lease(entry);
        try {
            if (first) {
                load(entry);
            }
            entry.adapter.join();
            return lease;
        } catch (CompletionException failed) {
            lease.close();
            throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
        }
    }

    private void load(Entry entry) {
        try {
            Adapter adapter = store.load(base, entry.version);
            long needed = bytes(adapter);
            synchronized (this) {
                evict(needed);
                if (bytes + needed > budget) {
                    throw new InputException("there is no room for " + entry.version.title() + ": it takes " + needed
                            + " bytes, adapters in use or pinned take " + bytes + " of " + budget);
                }
                entry.bytes = needed;
                bytes += needed;
                loads++;
            }
            entry.adapter.complete(adapter);
        } catch (RuntimeException | Error failed) {
            synchronized (this) {
                entries.remove(key(entry.version), entry);
            }
            entry.adapter.completeExceptionally(failed);
        }
    }

    /** Drops what was used longest ago until there is room. */
    private void evict(long needed) {
        Iterator<Map.Entry<String, Entry>> oldest = entries.entrySet().iterator();
        while (bytes + needed > budget && oldest.hasNext()) {
            Entry entry = oldest.next().getValue();
            if (entry.leases == 0 && entry.adapter.isDone() && !pinned.contains(key(entry.version))) {
                oldest.remove();
                bytes -= entry.bytes;
                evictions++;
            }
        }
    }

    /** Loads an adapter and keeps it until {@link #unpin}. */
    public void pin(String reference) {
        try (Lease lease = lease(reference)) {
            synchronized (this) {
                pinned.add(key(lease.version()));
            }
        }
    }

    public synchronized void unpin(String reference) {
        pinned.remove(key(store.resolve(reference)));
        evict(0);
    }

    /** The version that is in memory for a reference, or null. */
    public synchronized @Nullable StoredVersion held(String reference) {
        Entry entry = entries.get(key(store.resolve(reference)));
        return entry == null || !entry.adapter.isDone() ? null : entry.version;
    }

    public synchronized Counts counts() {
        return new Counts(entries.size(), bytes, hits, loads, evictions);
    }

    /** A number that was removed and given again means other files. */
    private static String key(StoredVersion version) {
        return version.title() + "/" + version.id();
    }

    private static long bytes(Adapter adapter) {
        return adapter.parameters().values().stream()
                .mapToLong(parameter ->
                        parameter.value().numel() * parameter.value().element_size())
                .sum();
    }
}
