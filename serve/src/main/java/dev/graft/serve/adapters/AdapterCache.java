package dev.graft.serve.adapters;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.serve.RejectedException;
import java.time.Instant;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Adapters in memory within a budget of bytes. Of unused adapters the least recently used is evicted first, weighted by the cost of loading
 * it again (GreedyDual: Young, 1994), and its memory is freed at once. Concurrent requests for one adapter share a load; a load doesn't
 * block other adapters.
 */
final class AdapterCache {
    private final long budget;
    private final Consumer<LoadedAdapter> onEvict;
    private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    /** The worth of what left last. */
    private long age;

    private long bytes;
    private long hits;
    private long loads;
    private long evictions;

    /** An adapter that is there or on its way; guarded by the cache. */
    private static final class Entry {
        private final CompletableFuture<LoadedAdapter> loaded = new CompletableFuture<>();
        private int leases;
        /** The age at its last use and its cost: the least leaves first. */
        private long priority;
        /** True if it is no longer leased. */
        private boolean dropped;
    }

    /** An adapter that stays in memory until this is closed. */
    final class Lease implements AutoCloseable {
        private final Entry entry;
        private boolean closed;

        private Lease(Entry entry) {
            this.entry = entry;
        }

        LoadedAdapter loaded() {
            return entry.loaded.join();
        }

        @Override
        public void close() {
            synchronized (AdapterCache.this) {
                if (closed) {
                    return;
                }
                closed = true;
                entry.leases--;
                if (entry.dropped && entry.leases == 0) {
                    free(entry);
                }
                evict(0);
            }
        }
    }

    /**
     * An empty cache.
     *
     * @param budget the bytes that parameters of adapters may take together
     * @param dropped called with each evicted adapter before its memory is freed
     */
    AdapterCache(long budget, Consumer<LoadedAdapter> dropped) {
        this.budget = budget;
        this.onEvict = dropped;
    }

    /**
     * Takes the adapter of a version.
     *
     * @param cost of a load beside those of others
     * @throws InputException if it takes more than the whole budget
     * @throws RejectedException if adapters in use leave no room for it
     */
    Lease lease(String version, int cost, Supplier<Adapter> load) {
        Entry entry;
        boolean first;
        synchronized (this) {
            Entry known = entries.get(version);
            first = known == null;
            entry = known == null ? new Entry() : known;
            entry.leases++;
            entry.priority = age + cost;
            if (first) {
                entries.put(version, entry);
            } else {
                hits++;
            }
        }
        Lease lease = new Lease(entry);
        try {
            if (first) {
                load(version, entry, load);
            }
            lease.loaded();
            return lease;
        } catch (CompletionException failed) {
            lease.close();
            throw failed.getCause() instanceof RuntimeException cause ? cause : failed;
        }
    }

    private void load(String version, Entry entry, Supplier<Adapter> load) {
        try {
            long start = System.nanoTime();
            Adapter adapter = load.get().freeze();
            long nanos = System.nanoTime() - start;
            long size = adapter.bytes();
            synchronized (this) {
                evict(size);
                if (bytes + size > budget) {
                    adapter.close();
                    throw noRoom(version, size);
                }
                bytes += size;
                loads++;
            }
            entry.loaded.complete(new LoadedAdapter(adapter, version, Instant.now(), size, nanos));
        } catch (RuntimeException | Error failed) {
            synchronized (this) {
                entries.remove(version, entry);
            }
            entry.loaded.completeExceptionally(failed);
        }
    }

    private RuntimeException noRoom(String version, long size) {
        return size > budget
                ? new InputException("the adapter " + version + " takes " + size
                        + " bytes, all adapters together may take " + budget)
                : new RejectedException(
                        RejectedException.Reason.FULL,
                        "there is no room for another adapter: those in use take " + bytes + " of " + budget
                                + " bytes");
    }

    /** Drops what is worth least until there is room. */
    private void evict(long needed) {
        while (bytes + needed > budget) {
            String least = entries.entrySet().stream()
                    .filter(entry -> entry.getValue().leases == 0)
                    .min(Comparator.comparingLong(entry -> entry.getValue().priority))
                    .map(Map.Entry::getKey)
                    .orElse(null);
            if (least == null) {
                return;
            }
            Entry entry = Objects.requireNonNull(entries.remove(least));
            age = entry.priority;
            free(entry);
            evictions++;
        }
    }

    private void free(Entry entry) {
        if (!entry.loaded.isCompletedExceptionally()) {
            LoadedAdapter loaded = entry.loaded.join();
            bytes -= loaded.bytes();
            onEvict.accept(loaded);
            loaded.adapter().close();
        }
    }

    /** Drops a version: existing leases keep it, later requests load it again. */
    synchronized void drop(String version) {
        Entry entry = entries.remove(version);
        if (entry != null) {
            entry.dropped = true;
            if (entry.leases == 0) {
                free(entry);
            }
        }
    }

    /** Returns the adapters in memory that can be leased. */
    synchronized List<LoadedAdapter> loaded() {
        return entries.values().stream()
                .filter(entry -> entry.loaded.isDone() && !entry.loaded.isCompletedExceptionally())
                .map(entry -> entry.loaded.join())
                .toList();
    }

    synchronized CacheStats cacheStats() {
        return new CacheStats(bytes, hits, loads, evictions);
    }
}
