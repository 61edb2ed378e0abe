package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
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
 * Adapters in memory under a budget of bytes: of what nobody uses goes first what was used longest ago, and what costs more to have again stays
 * longer (GreedyDual: Young, 1994); its memory is given back at once. Two that ask for one adapter at the same time wait for one load; a load
 * holds up nobody else.
 */
final class AdapterCache {
    private final long budget;
    private final Consumer<Adapters.Loaded> dropped;
    private final Map<String, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    /** The worth of what left last. */
    private long age;

    private long bytes;
    private long hits;
    private long loads;
    private long evictions;

    /** An adapter that is there or on its way; guarded by the cache. */
    private static final class Entry {
        private final CompletableFuture<Adapters.Loaded> loaded = new CompletableFuture<>();
        private int leases;
        /** The age at its last use and its cost: the least leaves first. */
        private long worth;
        /** Whether nobody new gets it. */
        private boolean gone;
    }

    /** An adapter that stays in memory until this is closed. */
    final class Lease implements AutoCloseable {
        private final Entry entry;
        private boolean closed;

        private Lease(Entry entry) {
            this.entry = entry;
        }

        Adapters.Loaded loaded() {
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
                if (entry.gone && entry.leases == 0) {
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
     * @param dropped hears of each adapter that goes, before its memory does
     */
    AdapterCache(long budget, Consumer<Adapters.Loaded> dropped) {
        this.budget = budget;
        this.dropped = dropped;
    }

    /**
     * Takes the adapter of a version.
     *
     * @param cost of a load beside those of others
     * @throws InputException if it takes more than the whole budget
     * @throws Refused if adapters in use leave no room for it
     */
    Lease lease(String version, int cost, Supplier<Adapter> load) {
        Entry entry;
        boolean first;
        synchronized (this) {
            Entry known = entries.get(version);
            first = known == null;
            entry = known == null ? new Entry() : known;
            entry.leases++;
            entry.worth = age + cost;
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
            entry.loaded.complete(new Adapters.Loaded(adapter, version, Instant.now(), size, nanos));
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
                : new Refused(
                        Refused.Reason.FULL,
                        "there is no room for another adapter: those in use take " + bytes + " of " + budget
                                + " bytes");
    }

    /** Drops what is worth least until there is room. */
    private void evict(long needed) {
        while (bytes + needed > budget) {
            String least = entries.entrySet().stream()
                    .filter(entry -> entry.getValue().leases == 0)
                    .min(Comparator.comparingLong(entry -> entry.getValue().worth))
                    .map(Map.Entry::getKey)
                    .orElse(null);
            if (least == null) {
                return;
            }
            Entry entry = Objects.requireNonNull(entries.remove(least));
            age = entry.worth;
            free(entry);
            evictions++;
        }
    }

    private void free(Entry entry) {
        if (!entry.loaded.isCompletedExceptionally()) {
            Adapters.Loaded loaded = entry.loaded.join();
            bytes -= loaded.bytes();
            dropped.accept(loaded);
            loaded.adapter().close();
        }
    }

    /** Forgets a version: who has it keeps it, who asks for it from now on gets it loaded anew. */
    synchronized void drop(String version) {
        Entry entry = entries.remove(version);
        if (entry != null) {
            entry.gone = true;
            if (entry.leases == 0) {
                free(entry);
            }
        }
    }

    /** What is in memory and can be had. */
    synchronized List<Adapters.Loaded> loaded() {
        return entries.values().stream()
                .filter(entry -> entry.loaded.isDone() && !entry.loaded.isCompletedExceptionally())
                .map(entry -> entry.loaded.join())
                .toList();
    }

    synchronized Adapters.Counts counts() {
        return new Adapters.Counts(bytes, hits, loads, evictions);
    }
}
