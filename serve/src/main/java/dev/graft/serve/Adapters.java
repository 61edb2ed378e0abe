package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.peft.store.UnknownAdapterException;
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
 * are being written go on with the one they began with. What a client calls a model is the name of an adapter, of
 * the base, or both: {@code base:adapter}.
 */
public final class Adapters {
    private final Base base;
    private final String baseName;
    private final AdapterStore store;
    private final AtomicLong revisions = new AtomicLong();
    private final Map<String, Loaded> loaded = new HashMap<>();
    private final Map<String, String> added = new HashMap<>();
    private final Map<String, Double> strengths = new HashMap<>();
    private final Set<String> removed = new TreeSet<>();
    private final Served alone;

    /**
     * An adapter in memory.
     *
     * @param version what its name meant in the store when it was loaded
     * @param bytes what its parameters take
     */
    public record Loaded(Served served, Adapter adapter, String version, Instant since, long bytes, long nanos) {}

    /** @param baseName what clients call the base */
    public Adapters(Base base, String baseName, AdapterStore store) {
        this.base = base;
        this.baseName = baseName;
        this.store = store;
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
        return List.copyOf(names);
    }

    /** What is in memory. */
    public synchronized List<Loaded> loaded() {
        return new ArrayList<>(loaded.values());
    }

    /** An adapter that is in memory, or null. */
    public synchronized @Nullable Loaded loaded(String name) {
        return loaded.get(name);
    }

    /**
     * What answers to a model's name.
     *
     * @throws UnknownAdapterException if nothing does
     * @throws InputException if the adapter doesn't fit the base
     */
    public synchronized Served find(String model) {
        if (model.equals(baseName)) {
            return alone;
        }
        String name = model.startsWith(baseName + ":") ? model.substring(baseName.length() + 1) : model;
        if (!added.containsKey(name) && removed.contains(name)) {
            throw new UnknownAdapterException("the model " + FolderStore.shown(model) + " was unloaded");
        }
        String reference = added.getOrDefault(name, name);
        Loaded known = loaded.get(name);
        try {
            String version = store.version(reference);
            return known != null && known.version.equals(version)
                    ? known.served
                    : load(name, reference, version).served;
        } catch (UnknownAdapterException unknown) {
            throw new UnknownAdapterException("the model " + FolderStore.shown(model) + " does not exist; there are "
                    + baseName + " and its adapters " + names());
        }
    }

    private Loaded load(String name, String reference, String version) {
        long start = System.nanoTime();
        Adapter adapter = store.load(base, reference);
        if (adapter.base() != base) {
            throw new InputException(
                    "the adapter " + name + " repeats layers of its base, so it can't share a base with others");
        }
        long bytes = adapter.parameters().values().stream()
                .mapToLong(parameter ->
                        parameter.value().numel() * parameter.value().element_size())
                .sum();
        Loaded fresh = new Loaded(
                new Served(name, revisions.incrementAndGet(), Selection.of(adapter, strength(name))),
                adapter,
                version,
                Instant.now(),
                bytes,
                System.nanoTime() - start);
        loaded.put(name, fresh);
        return fresh;
    }

    /** How strongly an adapter acts, 1 where nothing else was said. */
    public synchronized double strength(String name) {
        return strengths.getOrDefault(name, 1.0);
    }

    /** Says how strongly an adapter acts from now on. */
    public synchronized void strength(String name, double strength) {
        if (strength(name) == strength) {
            return;
        }
        Loaded known = loaded.get(name);
        Loaded changed = known == null ? null : with(known, strength);
        strengths.put(name, strength);
        if (changed != null) {
            loaded.put(name, changed);
        }
    }

    private Loaded with(Loaded known, double strength) {
        Served served =
                new Served(known.served.name(), revisions.incrementAndGet(), Selection.of(known.adapter, strength));
        return new Loaded(served, known.adapter, known.version, known.since, known.bytes, known.nanos);
    }

    /**
     * Adds an adapter under a name, from the store.
     *
     * @param path its name in the store, or its path there
     * @throws InputException if the name is taken, or the adapter doesn't fit
     */
    public synchronized Loaded add(String name, String path) {
        if (name.equals(baseName) || loaded.containsKey(name) || names().contains(name) && !isItself(name, path)) {
            throw new InputException("the model " + FolderStore.shown(name) + " is loaded already");
        }
        Loaded fresh = load(name, path, store.version(path));
        added.put(name, path);
        removed.remove(name);
        return fresh;
    }

    private boolean isItself(String name, String path) {
        return path.equals(name) || path.endsWith("/" + name);
    }

    /**
     * Takes an adapter out. Texts that are being written with it end as they would.
     *
     * @throws UnknownAdapterException if there is none of that name
     */
    public synchronized void remove(String name) {
        if (!names().contains(name)) {
            throw new UnknownAdapterException("the model " + FolderStore.shown(name) + " does not exist");
        }
        loaded.remove(name);
        added.remove(name);
        removed.add(name);
    }
}
