package dev.graft.peft;

import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The parameters and effects of an adapter, as its method declares them.
 *
 * @param effects the effects by site, in the order in which they run
 * @param exports saved values by key that are computed from parameters
 * @param aliases saved tensors by the second keys under which files contain them again
 * @param firstLayer the lowest layer with effects, {@code [1]}, or null for all layers
 */
record AdapterContent(
        Base base,
        AdapterConfig config,
        Map<String, Parameter> parameters,
        Map<Site, List<Effect>> effects,
        Map<String, Supplier<Tensor>> exports,
        Map<String, Tensor> aliases,
        @Nullable Tensor firstLayer) {

    static AdapterContent of(AdapterConfig config, Grafter grafter) {
        Map<Site, List<Effect>> effects = new IdentityHashMap<>();
        grafter.effects().forEach((site, list) -> {
            // Other values for the base's own parameters come first: what is trained beside them acts on those.
            List<Effect> ordered = new ArrayList<>(list);
            ordered.sort((a, b) -> Boolean.compare(b instanceof Effect.Replace, a instanceof Effect.Replace));
            effects.put(site, List.copyOf(ordered));
        });
        return new AdapterContent(
                grafter.base(),
                config,
                Collections.unmodifiableMap(grafter.parameters()),
                effects,
                grafter.exports(),
                grafter.aliases(),
                grafter.firstLayer());
    }

    /** Returns one of its tensors. */
    Tensor value(String key) {
        Parameter parameter = parameters.get(key);
        if (parameter == null) {
            throw new IllegalArgumentException("no parameter " + key);
        }
        return parameter.value();
    }

    /** Returns the sites that it adapts. */
    List<Site> sites() {
        return base.sites().stream().filter(effects::containsKey).toList();
    }

    /** Returns its effects at a site, in order. */
    List<Effect> effects(Site site) {
        if (firstLayer != null && site.layer() >= 0 && site.layer() < Tensors.item(firstLayer)) {
            return List.of();
        }
        return effects.getOrDefault(site, List.of());
    }

    /** Returns the saved tensors, by name. */
    Map<String, Tensor> savedTensors() {
        Map<String, Tensor> saved = new LinkedHashMap<>();
        parameters.forEach((key, parameter) -> {
            if (parameter.saved()) {
                saved.put(key, parameter.value());
            }
        });
        try (NoGrad noGrad = new NoGrad()) {
            exports.forEach((key, made) -> saved.put(key, made.get()));
        }
        return saved;
    }

    /** Returns the tensors that are saved beside the tool's file, by name. */
    Map<String, Tensor> graftTensors() {
        Map<String, Tensor> beside = new LinkedHashMap<>();
        parameters.forEach((key, parameter) -> {
            if (parameter.storage() == Parameter.Storage.GRAFT_FILE) {
                beside.put(key, parameter.value());
            }
        });
        return beside;
    }
}
