package dev.graft.serve;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.Combined;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * An adapter without files: others combined in memory when it is added, and again when it is asked for after it has left memory or the name of
 * one of them means another version. It stays in memory longer than those that are read from files.
 *
 * <pre>{@code
 * adapters.add("both", VirtualAdapter.sum(Map.of("sql", 0.7, "chat", 0.3)));
 * }</pre>
 */
public final class VirtualAdapter implements Source {
    /** As for the strength of an adapter. */
    private static final int MOST_WEIGHT = 100;

    private final Map<String, Double> weights;
    private final Combination combination;
    private final Combination.Settings settings;
    private final @Nullable Integer rank;
    private final UUID id = UUID.randomUUID();

    /**
     * A combination of adapters.
     *
     * @param weights by their names on the server, in the order in which they are combined
     * @param rank the most that the rank of an update may be, as for {@link Combined#of}
     * @throws InputException if there is none, or a weight is out of bounds
     */
    public VirtualAdapter(
            Map<String, Double> weights,
            Combination combination,
            Combination.Settings settings,
            @Nullable Integer rank) {
        if (weights.isEmpty()) {
            throw new InputException("there is no adapter to combine");
        }
        weights.forEach((name, weight) -> {
            if (!(Math.abs(weight) <= MOST_WEIGHT)) {
                throw new InputException("the weight of " + InputException.shown(name) + " is " + weight
                        + ", expected a number from " + -MOST_WEIGHT + " to " + MOST_WEIGHT);
            }
        });
        this.weights = new LinkedHashMap<>(weights);
        this.combination = combination;
        this.settings = settings;
        this.rank = rank;
    }

    /** The exact sum of weighted updates. */
    public static VirtualAdapter sum(Map<String, Double> weights) {
        return new VirtualAdapter(weights, Combination.LINEAR, Combination.Settings.DEFAULT, null);
    }

    /** What it is made of, by name. */
    public Map<String, Double> weights() {
        return Collections.unmodifiableMap(weights);
    }

    public Combination combination() {
        return combination;
    }

    @Override
    public Set<String> parts() {
        return weights.keySet();
    }

    @Override
    public AdapterStore.Found found(Function<String, AdapterStore.Found> stored, Function<String, Source> named) {
        Map<AdapterStore.Found, Double> parts = new LinkedHashMap<>();
        weights.forEach((name, weight) -> {
            if (!(named.apply(name) instanceof Stored part)) {
                throw new InputException(InputException.shown(name) + " is made of others itself; name those");
            }
            parts.put(part.found(stored, named), weight);
        });
        String title = combination.title() + "("
                + parts.entrySet().stream()
                        .map(part -> part.getValue() + " " + part.getKey().title())
                        .collect(Collectors.joining(", "))
                + ")";
        String version = id + " "
                + parts.keySet().stream().map(AdapterStore.Found::version).toList();
        return new AdapterStore.Found(title, version, 1 + parts.size(), (base, serves) -> combined(base, parts));
    }

    private Adapter combined(Base base, Map<AdapterStore.Found, Double> parts) {
        List<Adapter> loaded = new ArrayList<>();
        try {
            parts.keySet().forEach(part -> loaded.add(part.load().of(base, false)));
            return Combined.of(loaded, List.copyOf(parts.values()), combination, settings, rank)
                    .adapter();
        } finally {
            loaded.forEach(Adapter::close);
        }
    }
}
