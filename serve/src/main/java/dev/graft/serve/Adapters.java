package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.tensor.Aside;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The adapters that a base is served with, each loaded when it is first asked for, and anew when its name means another version; texts that
 * are being written go on with the one they began with. Under a budget of bytes those that were used longest ago leave memory, what is made
 * of others later than the rest. What a client calls a model is the name of an adapter, of the base, or both: {@code base:adapter}.
 *
 * <pre>{@code
 * Adapters adapters = new Adapters(base, "smollm2", new FolderStore(Path.of("adapters")), 1L << 30);
 * try (Adapters.Lease lease = adapters.lease("poet")) {
 *     base.logits(inputs, Pass.inference(lease.served().selection().hooks()));
 * }
 * }</pre>
 */
public final class Adapters {
    private final Base base;
    private final String baseName;
    private final AdapterStore store;
    private final AdapterCache cache;
    private final AtomicLong revisions = new AtomicLong();
    private final Map<Place, Named> named = new HashMap<>();
    private final Map<String, Lease> pins = new HashMap<>();
    private final Map<String, Source> added = new HashMap<>();
    private final Map<String, Double> strengths = new HashMap<>();
    private final Set<String> removed = new TreeSet<>();
    /** By the store's name of a version, which time it was loaded anew. */
    private final Map<String, Long> renewed = new HashMap<>();

    private final Served alone;

    /**
     * An adapter in memory.
     *
     * @param version what the store calls it
     * @param bytes what its parameters take
     * @param nanos how long it took to load
     */
    public record Loaded(Adapter adapter, String version, Instant since, long bytes, long nanos) {}

    /**
     * What became of loads since the start.
     *
     * @param bytes of what is in memory now
     * @param hits how often an adapter was there when it was asked for
     * @param evictions how many left memory for others
     */
    public record Counts(long bytes, long hits, long loads, long evictions) {}

    /** A name, or the canary of it. */
    private record Place(String name, boolean canary) {}

    /** What a name meant when it was last asked for. */
    private record Named(Loaded loaded, double strength, Served served) {}

    /** What answers, in memory until this is closed. */
    public static final class Lease implements AutoCloseable {
        private final Served served;
        private final @Nullable String title;
        private final AdapterCache.@Nullable Lease held;

        private Lease(Served served, @Nullable String title, AdapterCache.@Nullable Lease held) {
            this.served = served;
            this.title = title;
            this.held = held;
        }

        public Served served() {
            return served;
        }

        /** What exactly answers, such as {@code sql@2} where {@code prod} was asked for; null for the base alone. */
        public @Nullable String title() {
            return title;
        }

        @Override
        public void close() {
            if (held != null) {
                held.close();
            }
        }
    }

    /** Adapters that may take any memory. */
    public Adapters(Base base, String baseName, AdapterStore store) {
        this(base, baseName, store, Long.MAX_VALUE);
    }

    /**
     * No adapter is loaded yet.
     *
     * @param baseName what clients call the base
     * @param budget the bytes that the parameters of adapters may take together; while one is loaded it is in memory beside those
     */
    public Adapters(Base base, String baseName, AdapterStore store, long budget) {
        this.base = base;
        this.baseName = baseName;
        this.store = store;
        this.cache = new AdapterCache(budget, this::forget);
        this.alone = Served.base(baseName);
    }

    public String baseName() {
        return baseName;
    }

    public Base base() {
        return base;
    }

    /** What there is, loaded or not, in alphabetical order. */
    public synchronized List<String> names() {
        TreeSet<String> names = new TreeSet<>(store.names());
        names.removeAll(removed);
        names.addAll(added.keySet());
        // That is the base itself; its adapter of the same name is base:base.
        names.remove(baseName);
        return List.copyOf(names);
    }

    /** What an adapter without files is made of; null for one of the store. */
    public synchronized @Nullable VirtualAdapter virtual(String name) {
        return added.get(name) instanceof VirtualAdapter made ? made : null;
    }

    /** What is in memory. */
    public List<Loaded> loaded() {
        return cache.loaded();
    }

    /** What a name meant when it was last asked for, if that is in memory; else null. */
    public synchronized @Nullable Loaded loaded(String name) {
        Named known = named.get(new Place(name, false));
        return known == null ? null : known.loaded;
    }

    /** The revision of what a name meant when it was last asked for, 0 where that isn't in memory. */
    public synchronized long revision(String name) {
        Named known = named.get(new Place(name, false));
        return known == null ? 0 : known.served.revision();
    }

    /** Whether something answers to a model's name, without loading it. */
    public boolean has(String model) {
        try {
            if (!model.equals(baseName)) {
                find(source(adapter(model)));
            }
            return true;
        } catch (UnknownAdapterException unknown) {
            return false;
        }
    }

    /** What an adapter is called without the base's name before it. */
    private String adapter(String model) {
        return model.startsWith(baseName + ":") ? model.substring(baseName.length() + 1) : model;
    }

    public Counts counts() {
        return cache.counts();
    }

    /** What answers to a model's name; never its canary. */
    public Lease lease(String model) {
        return lease(model, null);
    }

    /**
     * What answers to a model's name, loaded if need be.
     *
     * @param key what tells the request from others, for a name that has a {@link Canary}; null where it gets none
     * @throws UnknownAdapterException if nothing does
     * @throws InputException if the adapter doesn't fit the base
     * @throws Refused if adapters in use leave no room for it
     */
    public Lease lease(String model, @Nullable String key) {
        if (model.equals(baseName)) {
            return new Lease(alone, null, null);
        }
        String name = adapter(model);
        Canary canary = key == null ? null : canary(name);
        if (key != null && canary != null && canary.takes(name, key)) {
            return take(model, name, canary);
        }
        Lease lease = take(model, name, null);
        synchronized (this) {
            Lease pin = pins.get(name);
            if (pin == null || pin.served == lease.served) {
                return lease;
            }
        }
        pin(name);
        return lease;
    }

    /** What a share of the requests for a name gets, or null. */
    public @Nullable Canary canary(String name) {
        try {
            return source(name) instanceof Source.Stored stored ? store.canary(stored.path()) : null;
        } catch (UnknownAdapterException unknown) {
            return null;
        }
    }

    private Lease take(String model, String name, @Nullable Canary canary) {
        AdapterStore.Found found;
        Source source = null;
        try {
            source = source(name);
            found = canary == null ? find(source) : stored(canary.target());
        } catch (UnknownAdapterException unknown) {
            throw new UnknownAdapterException(absence(model, name, source, canary, unknown));
        }
        AdapterCache.Lease held = hold(name, found);
        try {
            return new Lease(served(name, canary != null, source, held.loaded()), found.title(), held);
        } catch (RuntimeException refused) {
            held.close();
            throw refused;
        }
    }

    private String absence(
            String model, String name, @Nullable Source source, @Nullable Canary canary, UnknownAdapterException why) {
        String asked = "the model " + InputException.shown(model);
        if (canary != null) {
            return canary.target() + ", which a share of the requests for " + InputException.shown(model)
                    + " gets, does not exist; take the canary back or name another";
        }
        if (source instanceof Source.Stored stored && !stored.path().equals(name)) {
            return asked + " stands for " + InputException.shown(stored.path()) + ", which is gone: "
                    + why.getMessage();
        }
        return virtual(name) != null
                ? asked + " is made of others, of which one is gone: " + why.getMessage()
                : asked + " does not exist; there are " + baseName + " and its adapters " + names();
    }

    private AdapterStore.Found find(Source source) {
        return source.found(this::stored, this::source);
    }

    private AdapterStore.Found stored(String path) {
        AdapterStore.Found found = store.find(path);
        synchronized (this) {
            return found.renewed(renewed.get(found.version()));
        }
    }

    private synchronized Source source(String name) {
        Source known = added.get(name);
        if (known == null && removed.contains(name)) {
            throw new UnknownAdapterException("the model " + InputException.shown(name) + " was unloaded");
        }
        return known == null ? new Source.Stored(name) : known;
    }

    private AdapterCache.Lease hold(String name, AdapterStore.Found found) {
        return cache.lease(found.version(), found.cost(), () -> {
            Adapter adapter = Aside.run(() -> found.load().of(base, true));
            try {
                requireFit(name, adapter);
                return adapter;
            } catch (InputException refused) {
                adapter.close();
                throw refused;
            }
        });
    }

    private void requireFit(String name, Adapter adapter) {
        if (adapter.base() != base) {
            throw new InputException(
                    "the adapter " + name + " repeats layers of its base, so it can't share a base with others");
        }
        if (adapter.mixesRows()) {
            throw new InputException("the adapter " + name + " ("
                    + adapter.method().type().name()
                    + ") answers a text by the other texts of its batch, so it can't be served; train a new one");
        }
    }

    /** What answers to a name, unless that has come to stand for something else while it was loaded. */
    private synchronized Served served(String name, boolean canary, Source source, Loaded loaded) {
        if (!source(name).equals(source)) {
            throw new UnknownAdapterException("the model " + InputException.shown(name) + " was unloaded");
        }
        double strength = strength(name);
        Place place = new Place(name, canary);
        Named known = named.get(place);
        if (known == null || known.loaded != loaded || known.strength != strength) {
            Served fresh = new Served(
                    name,
                    revisions.incrementAndGet(),
                    Selection.of(loaded.adapter, strength),
                    loaded.adapter.answers());
            known = new Named(loaded, strength, fresh);
            named.put(place, known);
        }
        return known.served;
    }

    private synchronized void forget(Loaded loaded) {
        named.values().removeIf(known -> known.loaded == loaded);
    }

    /**
     * Loads an adapter and keeps it in memory. When its name means another version, that one is kept from the first request for it on.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    public void pin(String name) {
        Lease fresh = take(name, name, null);
        Lease old;
        synchronized (this) {
            old = pins.put(name, fresh);
        }
        if (old != null) {
            old.close();
        }
    }

    /** How strongly an adapter acts, 1 where nothing else was said. */
    public synchronized double strength(String name) {
        return strengths.getOrDefault(name, 1.0);
    }

    /**
     * Says how strongly an adapter acts from now on.
     *
     * @throws InputException if it can't act so strongly, where it is in memory; else whoever asks for it is told
     */
    public synchronized void strength(String name, double strength) {
        Named known = named.get(new Place(name, false));
        if (known != null && known.strength != strength) {
            Selection.of(known.loaded.adapter, strength);
        }
        strengths.put(name, strength);
    }

    /**
     * Adds an adapter under a name, from the store.
     *
     * @param path its name in the store, or its path there
     * @throws InputException if the name is taken, or the adapter doesn't fit
     */
    public void add(String name, String path) {
        requireName(name, path);
        boolean itself = path.equals(name) || path.endsWith("/" + name);
        add(name, new Source.Stored(path), itself);
    }

    /** A name is a plain one, or what the store itself says, such as {@code sql@3}, which never means anything else. */
    private static void requireName(String name, String path) {
        if (!name.equals(path) && !FolderStore.isName(name)) {
            throw new InputException("the name is " + InputException.shown(name)
                    + ", expected letters, digits, dots, hyphens and underscores");
        }
    }

    /**
     * Adds an adapter that is made of others.
     *
     * @throws UnknownAdapterException if one of them isn't there
     * @throws InputException if the name is taken or none, or they can't be combined so
     */
    public void add(String name, VirtualAdapter made) {
        requireName(name, "");
        add(name, made, false);
    }

    private void add(String name, Source source, boolean itself) {
        requireFree(name, itself);
        AdapterStore.Found found = find(source);
        try (AdapterCache.Lease held = hold(name, found)) {
            synchronized (this) {
                requireFree(name, itself);
                // A part of it may have gone while it was made.
                source.parts().forEach(this::source);
                stand(name, source, held.loaded());
            }
        }
    }

    /** Has a name stand for a source from now on. */
    private synchronized void stand(String name, Source source, Loaded loaded) {
        added.put(name, source);
        removed.remove(name);
        served(name, false, source, loaded);
    }

    /**
     * Reads an adapter's files again and has a name stand for it from then on: those who ask for it meanwhile, or if it can't be loaded, get what
     * there was, and what is made of it is made again.
     *
     * @param path its name in the store, or its path there
     * @throws UnknownAdapterException if the store has none
     * @throws InputException if the name is the base's, or the adapter doesn't fit
     */
    public void replace(String name, String path) {
        requireName(name, path);
        if (name.equals(baseName)) {
            throw isThere(name);
        }
        AdapterStore.Found found = store.find(path);
        long time = revisions.incrementAndGet();
        Long before;
        try (AdapterCache.Lease held = hold(name, found.renewed(time))) {
            synchronized (this) {
                before = renewed.put(found.version(), time);
                stand(name, new Source.Stored(path), held.loaded());
            }
        }
        cache.drop(found.renewed(before).version());
    }

    private synchronized void requireFree(String name, boolean itself) {
        if (name.equals(baseName)
                || added.containsKey(name)
                || named.containsKey(new Place(name, false))
                || names().contains(name) && !itself) {
            throw isThere(name);
        }
    }

    private static InputException isThere(String name) {
        return new InputException("the model " + InputException.shown(name) + " is loaded already");
    }

    /**
     * Takes an adapter out, and with it the canary of its name and what is made of it; what other names mean stays in memory. Texts that are being written
     * with it end as they would.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    public void remove(String name) {
        List<Lease> unpinned = new ArrayList<>();
        List<Loaded> left = new ArrayList<>();
        synchronized (this) {
            if (!names().contains(name)) {
                throw new UnknownAdapterException("the model " + InputException.shown(name) + " does not exist");
            }
            Set<String> gone = new TreeSet<>(Set.of(name));
            added.forEach((other, made) -> {
                if (made.parts().contains(name)) {
                    gone.add(other);
                }
            });
            Source source = added.get(name);
            if (source == null || source.parts().isEmpty()) {
                removed.add(name);
            }
            added.keySet().removeAll(gone);
            strengths.keySet().removeAll(gone);
            for (String one : gone) {
                Lease pin = pins.remove(one);
                if (pin != null) {
                    unpinned.add(pin);
                }
            }
            named.entrySet().removeIf(known -> {
                boolean goes = gone.contains(known.getKey().name);
                if (goes) {
                    left.add(known.getValue().loaded);
                }
                return goes;
            });
            left.removeIf(loaded -> named.values().stream().anyMatch(other -> other.loaded == loaded));
        }
        unpinned.forEach(Lease::close);
        left.forEach(loaded -> cache.drop(loaded.version));
    }
}
