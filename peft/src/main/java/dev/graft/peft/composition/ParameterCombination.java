package dev.graft.peft.composition;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.WeightUpdate;
import dev.graft.peft.methods.scaling.Ia3;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Combinations of the parameters themselves, for adapters whose effect is linear in them. */
final class ParameterCombination {
    /** Settings that say nothing any more once an adapter is trained. */
    private static final Pattern FOR_TRAINING = Pattern.compile("dropout|stochastic_depth|tokenizer|(^|[._])init");

    private ParameterCombination() {}

    /** Returns whether all are (IA)³ on the same modules: their effect is linear in their vectors. */
    static boolean areIa3(List<Adapter> adapters) {
        Map<String, String> first = shapes(adapters.get(0), key -> true);
        return adapters.stream()
                .allMatch(adapter -> adapter.method() instanceof Ia3
                        && shapes(adapter, key -> true).equals(first));
    }

    /** The (IA)³ of {@code Σ wᵢ ΔWᵢ}: {@code l = 1 + Σ wᵢ (lᵢ - 1)}, since {@code ΔW = (l - 1) ⊙ W}. */
    static Adapter sumOfIa3(List<Adapter> adapters, List<Double> weights) {
        double rest = 1 - weights.stream().mapToDouble(w -> w).sum();
        Adapter first = adapters.get(0);
        Adapter sum = Adapter.create(first.base(), first.config(), 0);
        sum.parameters().forEach((key, parameter) -> {
            if (!first.config().savesWhole(key)) {
                parameter.value().copy_(Ops.plus(weighted(key, adapters, weights), rest));
            }
        });
        heads(adapters, weights).forEach((key, value) -> sum.value(key).copy_(value));
        return sum;
    }

    /** {@code Σ wᵢ θᵢ}. */
    static Adapter average(List<Adapter> adapters, List<Double> weights) {
        double all = weights.stream().mapToDouble(w -> w).sum();
        if (Math.abs(all - 1) > 1e-6) {
            throw new InputException("average: the weights " + weights + " sum to " + all + ", expected 1");
        }
        Adapter first = adapters.get(0);
        for (Adapter adapter : adapters) {
            if (!adapter.method().type().equals(first.method().type())) {
                throw new InputException("average: the adapters are "
                        + first.method().type().name() + " and "
                        + adapter.method().type().name() + ", expected one method");
            }
            refuseLowRank(adapter);
            requireSameMeaning(first, adapter);
        }
        requireAlike(adapters, adapter -> key -> true);
        Adapter mean = Adapter.create(first.base(), first.config(), 0);
        mean.parameters().forEach((key, parameter) -> parameter.value().copy_(weighted(key, adapters, weights)));
        return mean;
    }

    /** Rejects adapters whose equal shapes have other meanings, as a bottleneck with another activation. */
    private static void requireSameMeaning(Adapter first, Adapter other) {
        Map<String, Object> some = settings(first);
        Map<String, Object> others = settings(other);
        for (String field : union(some.keySet(), others.keySet())) {
            if (!FOR_TRAINING.matcher(field).find() && !Objects.equals(some.get(field), others.get(field))) {
                throw new InputException("average: " + field + " is " + some.get(field) + " in one adapter and "
                        + others.get(field) + " in another, so the mean of their parameters means nothing");
            }
        }
    }

    /** The settings of an adapter's method by their paths, lists as sets. */
    private static Map<String, Object> settings(Adapter adapter) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        adapter.method().write(json, adapter.base());
        Map<String, Object> settings = new TreeMap<>();
        flatten("", json, settings);
        return settings;
    }

    private static void flatten(String path, JsonNode node, Map<String, Object> settings) {
        if (node.isObject()) {
            node.properties()
                    .forEach(entry -> flatten(
                            path.isEmpty() ? entry.getKey() : path + "." + entry.getKey(), entry.getValue(), settings));
        } else {
            settings.put(path, node.isArray() ? Set.copyOf(node.valueStream().toList()) : node);
        }
    }

    private static void refuseLowRank(Adapter adapter) {
        for (Site site : adapter.sites()) {
            if (WeightUpdate.hasFactors(adapter, site)) {
                throw new InputException("average: the mean of A and the mean of B don't make the mean of B A; for "
                        + adapter.method().type().name() + " take linear");
            }
        }
    }

    /** Returns the mean of each module that adapters save whole, with weights divided by their sum. */
    static Map<String, Tensor> heads(List<Adapter> adapters, List<Double> weights) {
        requireAlike(adapters, adapter -> adapter.config()::savesWhole);
        double all = weights.stream().mapToDouble(w -> w).sum();
        List<Double> shares = weights.stream().map(w -> w / all).toList();
        Map<String, Tensor> heads = new LinkedHashMap<>();
        for (String key : adapters.get(0).parameters().keySet()) {
            if (adapters.get(0).config().savesWhole(key)) {
                if (all == 0) {
                    throw new InputException("the weights " + weights + " sum to 0, so " + key
                            + ", which the adapters save whole, has no mean");
                }
                heads.put(key, weighted(key, adapters, shares));
            }
        }
        return heads;
    }

    /**
     * Rejects adapters of which one has a parameter that another one lacks or has in another shape, each by its own
     * predicate.
     */
    private static void requireAlike(List<Adapter> adapters, Function<Adapter, Predicate<String>> which) {
        Map<String, String> first = shapes(adapters.get(0), which.apply(adapters.get(0)));
        for (int i = 1; i < adapters.size(); i++) {
            Map<String, String> other = shapes(adapters.get(i), which.apply(adapters.get(i)));
            for (String key : union(first.keySet(), other.keySet())) {
                if (!first.getOrDefault(key, "").equals(other.getOrDefault(key, ""))) {
                    throw new InputException("the adapters don't fit each other: number 1 " + has(first, key)
                            + " and number " + (i + 1) + " " + has(other, key)
                            + "; what isn't an update of weights is averaged, so all must have it in one shape");
                }
            }
        }
    }

    private static String has(Map<String, String> shapes, String key) {
        return shapes.containsKey(key) ? "trains " + key + " " + shapes.get(key) : "has no " + key;
    }

    private static Set<String> union(Set<String> some, Set<String> others) {
        Set<String> all = new TreeSet<>(some);
        all.addAll(others);
        return all;
    }

    private static Map<String, String> shapes(Adapter adapter, Predicate<String> which) {
        Map<String, String> shapes = new LinkedHashMap<>();
        adapter.parameters().forEach((key, parameter) -> {
            if (which.test(key)) {
                shapes.put(key, Arrays.toString(Tensors.shape(parameter.value())));
            }
        });
        return shapes;
    }

    private static Tensor weighted(String key, List<Adapter> adapters, List<Double> weights) {
        Tensor sum = null;
        for (int i = 0; i < adapters.size(); i++) {
            Tensor part = Ops.scale(adapters.get(i).value(key), weights.get(i));
            sum = sum == null ? part : sum.add(part);
        }
        return Objects.requireNonNull(sum);
    }
}
