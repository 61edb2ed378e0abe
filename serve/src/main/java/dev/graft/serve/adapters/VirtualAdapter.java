package dev.graft.serve.adapters;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
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
 * An adapter without files, combined from others in memory. It is combined when it is added, and again if it has been evicted or one of the
 * others has a new version. It is evicted later than adapters from files.
 *
 * <pre>{@code
 * adapters.add("both", VirtualAdapter.sum(Map.of("sql", 0.7, "chat", 0.3)));
 * }</pre>
 */
public final class VirtualAdapter implements AdapterSource {
    /** The largest weight; the same bound as for the strength of an adapter. */
    private static final int MOST_WEIGHT = 100;

    private final Map<String, Double> weights;
    private final Combination combination;
    private final CombinationSettings settings;
    private final @Nullable Integer rank;
    private final UUID id = UUID.randomUUID();

    /**
     * Creates a combination of adapters.
     *
     * @param weights the weights by the names on the server, in the order of combination
     * @param rank the maximum rank of an update, as for {@link CombinedAdapter#of}; null for no limit
     * @throws InputException if there is no adapter, or a weight is out of bounds
     */
    public VirtualAdapter(
            Map<String, Double> weights,
            Combination combination,
            CombinationSettings settings,
            @Nullable Integer rank) {
        if (weights.isEmpty()) {
            throw new InputException("there is no adapter to combine");
        }
        weights.forEach((name, weight) -> {
            if (!(Math.abs(weight) <= MOST_WEIGHT)) {
                throw new InputException("the weight of " + InputException.quote(name) + " is " + weight
                        + ", expected a number from " + -MOST_WEIGHT + " to " + MOST_WEIGHT);
            }
        });
        this.weights = new LinkedHashMap<>(weights);
        this.combination = combination;
        this.settings = settings;
        this.rank = rank;
    }

    /** Creates the exact sum of weighted updates. */
    public static VirtualAdapter sum(Map<String, Double> weights) {
        return new VirtualAdapter(weights, Combination.LINEAR, CombinationSettings.DEFAULT, null);
    }

    /** Returns the weights of the combined adapters, by name. */
    public Map<String, Double> weights() {
        return Collections.unmodifiableMap(weights);
    }

    public Combination combination() {
        return combination;
    }

    @Override
    public Set<String> components() {
        return weights.keySet();
    }

    @Override
    public AdapterStore.Loadable resolve(
            Function<String, AdapterStore.Loadable> stored, Function<String, AdapterSource> named) {
        Map<AdapterStore.Loadable, Double> parts = new LinkedHashMap<>();
        weights.forEach((name, weight) -> {
            if (!(named.apply(name) instanceof FromStore part)) {
                throw new InputException(InputException.quote(name) + " is made of others itself; name those");
            }
            parts.put(part.resolve(stored, named), weight);
        });
        String title = combination.title() + "("
                + parts.entrySet().stream()
                        .map(part -> part.getValue() + " " + part.getKey().title())
                        .collect(Collectors.joining(", "))
                + ")";
        String version = id + " "
                + parts.keySet().stream().map(AdapterStore.Loadable::version).toList();
        return new AdapterStore.Loadable(title, version, 1 + parts.size(), (base, serves) -> combined(base, parts));
    }

    private Adapter combined(Base base, Map<AdapterStore.Loadable, Double> parts) {
        List<Adapter> loaded = new ArrayList<>();
        try {
            parts.keySet().forEach(part -> loaded.add(part.loader().load(base, false)));
            return CombinedAdapter.of(loaded, List.copyOf(parts.values()), combination, settings, rank)
                    .adapter();
        } finally {
            loaded.forEach(Adapter::close);
        }
    }
}
