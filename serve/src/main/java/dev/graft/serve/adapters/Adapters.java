package dev.graft.serve.adapters;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.UnknownAdapterException;
import dev.graft.serve.RejectedException;
import dev.graft.serve.ServedModel;
import dev.graft.tensor.BackgroundThread;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The adapters that a base is served with. Each is loaded at its first request, and again when its name resolves to another version;
 * running requests keep the adapter that they began with. Under a budget of bytes the least recently used adapters are evicted, adapters
 * composed of others last. A client's model name is the name of an adapter, of the base, or both: {@code base:adapter}.
 *
 * <pre>{@code
 * Adapters adapters = new Adapters(base, "smollm2", new FolderStore(Path.of("adapters")), 1L << 30);
 * try (Adapters.Lease lease = adapters.lease("poet")) {
 *     base.logits(inputs, ForwardPass.inference(lease.model().selection().hooks()));
 * }
 * }</pre>
 */
public final class Adapters {
    private final Base base;
    private final String baseName;
    private final AdapterStore store;
    private final AdapterCache cache;
    private final AtomicLong revisions = new AtomicLong();
    private final Map<NameKey, Resolved> resolved = new HashMap<>();
    private final Map<String, Lease> pins = new HashMap<>();
    private final Map<String, AdapterSource> sources = new HashMap<>();
    private final Map<String, Double> strengths = new HashMap<>();
    private final Set<String> removed = new TreeSet<>();
    /** The revision of the last reload, by the store's name of a version. */
    private final Map<String, Long> reloads = new HashMap<>();

    private final ServedModel baseModel;

    /** A name, or the canary of it. */
    private record NameKey(String name, boolean canary) {}

    /** The model that a name last resolved to. */
    private record Resolved(LoadedAdapter loaded, double strength, ServedModel model) {}

    /** A lease of a model, which stays in memory until the lease is closed. */
    public static final class Lease implements AutoCloseable {
        private final ServedModel model;
        private final @Nullable String title;
        private final AdapterCache.@Nullable Lease cacheLease;

        private Lease(ServedModel model, @Nullable String title, AdapterCache.@Nullable Lease held) {
            this.model = model;
            this.title = title;
            this.cacheLease = held;
        }

        public ServedModel model() {
            return model;
        }

        /** Returns the exact adapter, such as {@code sql@2} for the alias {@code prod}; null for the base alone. */
        public @Nullable String title() {
            return title;
        }

        @Override
        public void close() {
            if (cacheLease != null) {
                cacheLease.close();
            }
        }
    }

    /** Creates a registry without a memory budget. */
    public Adapters(Base base, String baseName, AdapterStore store) {
        this(base, baseName, store, Long.MAX_VALUE);
    }

    /**
     * Creates a registry; no adapter is loaded yet.
     *
     * @param baseName the name of the base in requests
     * @param budget the maximum bytes of all adapters' parameters; an adapter being loaded comes on top
     */
    public Adapters(Base base, String baseName, AdapterStore store, long budget) {
        this.base = base;
        this.baseName = baseName;
        this.store = store;
        this.cache = new AdapterCache(budget, this::forget);
        this.baseModel = ServedModel.base(baseName);
    }

    public String baseName() {
        return baseName;
    }

    public Base base() {
        return base;
    }

    /** Returns the names of all adapters, loaded or not, in alphabetical order. */
    public synchronized List<String> names() {
        TreeSet<String> names = new TreeSet<>(store.names());
        names.removeAll(removed);
        names.addAll(sources.keySet());
        // That is the base itself; its adapter of the same name is base:base.
        names.remove(baseName);
        return List.copyOf(names);
    }

    /** Returns the virtual adapter of a name; null for an adapter of the store. */
    public synchronized @Nullable VirtualAdapter virtual(String name) {
        return sources.get(name) instanceof VirtualAdapter virtual ? virtual : null;
    }

    /** Returns the adapters in memory. */
    public List<LoadedAdapter> loaded() {
        return cache.loaded();
    }

    /** Returns the adapter that a name last resolved to if it is in memory; else null. */
    public synchronized @Nullable LoadedAdapter loaded(String name) {
        Resolved known = resolved.get(new NameKey(name, false));
        return known == null ? null : known.loaded;
    }

    /** Returns the revision of the adapter that a name last resolved to; 0 if it isn't in memory. */
    public synchronized long revision(String name) {
        Resolved known = resolved.get(new NameKey(name, false));
        return known == null ? 0 : known.model.revision();
    }

    /** Returns whether a model exists, without loading it. */
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

    /** Returns the name of an adapter without the prefix of the base. */
    private String adapter(String model) {
        return model.startsWith(baseName + ":") ? model.substring(baseName.length() + 1) : model;
    }

    public CacheStats cacheStats() {
        return cache.cacheStats();
    }

    /**
     * Leases the model of a name; never its canary.
     *
     * @throws UnknownAdapterException if there is no such model
     * @throws InputException if the adapter doesn't fit the base
     * @throws RejectedException if adapters in use leave no room for it
     */
    public Lease lease(String model) {
        return lease(model, null);
    }

    /**
     * Leases the model of a name and loads it if necessary.
     *
     * @param key identifies the request for the choice of a {@link Canary}; null for never the canary
     * @throws UnknownAdapterException if there is no such model
     * @throws InputException if the adapter doesn't fit the base
     * @throws RejectedException if adapters in use leave no room for it
     */
    public Lease lease(String model, @Nullable String key) {
        if (model.equals(baseName)) {
            return new Lease(baseModel, null, null);
        }
        String name = adapter(model);
        Canary canary = key == null ? null : canary(name);
        if (key != null && canary != null && canary.accepts(name, key)) {
            return leaseAdapter(model, name, canary);
        }
        Lease lease = leaseAdapter(model, name, null);
        synchronized (this) {
            Lease pin = pins.get(name);
            if (pin == null || pin.model == lease.model) {
                return lease;
            }
        }
        pin(name);
        return lease;
    }

    /** Returns the canary of a name, or null. */
    public @Nullable Canary canary(String name) {
        try {
            return source(name) instanceof AdapterSource.FromStore stored ? store.canary(stored.path()) : null;
        } catch (UnknownAdapterException unknown) {
            return null;
        }
    }

    private Lease leaseAdapter(String model, String name, @Nullable Canary canary) {
        AdapterStore.Loadable loadable;
        AdapterSource source = null;
        try {
            source = source(name);
            loadable = canary == null ? find(source) : stored(canary.target());
        } catch (UnknownAdapterException unknown) {
            throw new UnknownAdapterException(missingMessage(model, name, source, canary, unknown));
        }
        AdapterCache.Lease held = leaseFromCache(name, loadable);
        try {
            return new Lease(servedModel(name, canary != null, source, held.loaded()), loadable.title(), held);
        } catch (RuntimeException refused) {
            held.close();
            throw refused;
        }
    }

    private String missingMessage(
            String model,
            String name,
            @Nullable AdapterSource source,
            @Nullable Canary canary,
            UnknownAdapterException why) {
        String asked = "the model " + InputException.quote(model);
        if (canary != null) {
            return canary.target() + ", which a share of the requests for " + InputException.quote(model)
                    + " gets, does not exist; take the canary back or name another";
        }
        if (source instanceof AdapterSource.FromStore stored && !stored.path().equals(name)) {
            return asked + " stands for " + InputException.quote(stored.path()) + ", which is gone: "
                    + why.getMessage();
        }
        return virtual(name) != null
                ? asked + " is made of others, of which one is gone: " + why.getMessage()
                : asked + " does not exist; there are " + baseName + " and its adapters " + names();
    }

    private AdapterStore.Loadable find(AdapterSource source) {
        return source.resolve(this::stored, this::source);
    }

    private AdapterStore.Loadable stored(String path) {
        AdapterStore.Loadable loadable = store.find(path);
        synchronized (this) {
            return loadable.reloaded(reloads.get(loadable.version()));
        }
    }

    private synchronized AdapterSource source(String name) {
        AdapterSource known = sources.get(name);
        if (known == null && removed.contains(name)) {
            throw new UnknownAdapterException("the model " + InputException.quote(name) + " was unloaded");
        }
        return known == null ? new AdapterSource.FromStore(name) : known;
    }

    private AdapterCache.Lease leaseFromCache(String name, AdapterStore.Loadable loadable) {
        return cache.lease(loadable.version(), loadable.cost(), () -> {
            Adapter adapter = BackgroundThread.run(() -> loadable.loader().load(base, true));
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

    /** Returns the model of a name; fails if the name changed while the adapter was loaded. */
    private synchronized ServedModel servedModel(
            String name, boolean canary, AdapterSource source, LoadedAdapter loaded) {
        if (!source(name).equals(source)) {
            throw new UnknownAdapterException("the model " + InputException.quote(name) + " was unloaded");
        }
        double strength = strength(name);
        NameKey nameKey = new NameKey(name, canary);
        Resolved known = resolved.get(nameKey);
        if (known == null || known.loaded != loaded || known.strength != strength) {
            ServedModel fresh = new ServedModel(
                    name,
                    revisions.incrementAndGet(),
                    Selection.of(loaded.adapter(), strength),
                    loaded.adapter().labelSpace());
            known = new Resolved(loaded, strength, fresh);
            resolved.put(nameKey, known);
        }
        return known.model;
    }

    private synchronized void forget(LoadedAdapter loaded) {
        resolved.values().removeIf(known -> known.loaded == loaded);
    }

    /**
     * Loads an adapter and pins it in memory. If its name resolves to another version later, that version is pinned from its first request
     * on.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    public void pin(String name) {
        Lease fresh = leaseAdapter(name, name, null);
        Lease old;
        synchronized (this) {
            old = pins.put(name, fresh);
        }
        if (old != null) {
            old.close();
        }
    }

    /** Returns the factor by which an adapter's effect is scaled, 1 by default. */
    public synchronized double strength(String name) {
        return strengths.getOrDefault(name, 1.0);
    }

    /**
     * Sets the factor by which an adapter's effect is scaled from now on.
     *
     * @throws InputException if the adapter is in memory and can't be scaled so; otherwise later requests for it fail
     */
    public synchronized void strength(String name, double strength) {
        Resolved known = resolved.get(new NameKey(name, false));
        if (known != null && known.strength != strength) {
            Selection.of(known.loaded.adapter(), strength);
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
        add(name, new AdapterSource.FromStore(path), itself);
    }

    /** A name is a plain one, or what the store itself says, such as {@code sql@3}, which never means anything else. */
    private static void requireName(String name, String path) {
        if (!name.equals(path) && !FolderStore.isName(name)) {
            throw new InputException("the name is " + InputException.quote(name)
                    + ", expected letters, digits, dots, hyphens and underscores");
        }
    }

    /**
     * Adds an adapter composed of others.
     *
     * @throws UnknownAdapterException if one of them doesn't exist
     * @throws InputException if the name is taken or invalid, or the adapters can't be combined this way
     */
    public void add(String name, VirtualAdapter virtual) {
        requireName(name, "");
        add(name, virtual, false);
    }

    private void add(String name, AdapterSource source, boolean itself) {
        requireFree(name, itself);
        AdapterStore.Loadable loadable = find(source);
        try (AdapterCache.Lease held = leaseFromCache(name, loadable)) {
            synchronized (this) {
                requireFree(name, itself);
                // A part of it may have gone while it was made.
                source.components().forEach(this::source);
                bind(name, source, held.loaded());
            }
        }
    }

    /** Binds a name to a source from now on. */
    private synchronized void bind(String name, AdapterSource source, LoadedAdapter loaded) {
        sources.put(name, source);
        removed.remove(name);
        servedModel(name, false, source, loaded);
    }

    /**
     * Reads an adapter's files again and binds a name to it. Until then, or if it can't be loaded, requests get the previous adapter. Adapters
     * composed of it are built again.
     *
     * @param path its name in the store, or its path there
     * @throws UnknownAdapterException if the store has none
     * @throws InputException if the name is the base's, or the adapter doesn't fit
     */
    public void replace(String name, String path) {
        requireName(name, path);
        if (name.equals(baseName)) {
            throw alreadyLoaded(name);
        }
        AdapterStore.Loadable loadable = store.find(path);
        long time = revisions.incrementAndGet();
        Long before;
        try (AdapterCache.Lease held = leaseFromCache(name, loadable.reloaded(time))) {
            synchronized (this) {
                before = reloads.put(loadable.version(), time);
                bind(name, new AdapterSource.FromStore(path), held.loaded());
            }
        }
        cache.drop(loadable.reloaded(before).version());
    }

    private synchronized void requireFree(String name, boolean itself) {
        if (name.equals(baseName)
                || sources.containsKey(name)
                || resolved.containsKey(new NameKey(name, false))
                || names().contains(name) && !itself) {
            throw alreadyLoaded(name);
        }
    }

    private static InputException alreadyLoaded(String name) {
        return new InputException("the model " + InputException.quote(name) + " is loaded already");
    }

    /**
     * Removes an adapter, the canary of its name and the adapters composed of it. Running requests finish with it.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    public void remove(String name) {
        List<Lease> unpinned = new ArrayList<>();
        List<LoadedAdapter> left = new ArrayList<>();
        synchronized (this) {
            if (!names().contains(name)) {
                throw new UnknownAdapterException("the model " + InputException.quote(name) + " does not exist");
            }
            Set<String> gone = new TreeSet<>(Set.of(name));
            sources.forEach((other, made) -> {
                if (made.components().contains(name)) {
                    gone.add(other);
                }
            });
            AdapterSource source = sources.get(name);
            if (source == null || source.components().isEmpty()) {
                removed.add(name);
            }
            sources.keySet().removeAll(gone);
            strengths.keySet().removeAll(gone);
            for (String one : gone) {
                Lease pin = pins.remove(one);
                if (pin != null) {
                    unpinned.add(pin);
                }
            }
            resolved.entrySet().removeIf(known -> {
                boolean goes = gone.contains(known.getKey().name);
                if (goes) {
                    left.add(known.getValue().loaded);
                }
                return goes;
            });
            left.removeIf(loaded -> resolved.values().stream().anyMatch(other -> other.loaded == loaded));
        }
        unpinned.forEach(Lease::close);
        left.forEach(loaded -> cache.drop(loaded.version()));
    }
}
