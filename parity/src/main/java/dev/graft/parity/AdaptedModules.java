package dev.graft.parity;

import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.lora.LoraVariant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** The modules that an adapter adapts, with rank and scaling. */
final class AdaptedModules {
    private static final Tolerance SCALING = new Tolerance(0, 1e-6);

    private AdaptedModules() {}

    /** Compares a table of {@code module: {"r", "scaling"}}. */
    static void compare(CaseCheck check, Adapter adapter, JsonNode layers) {
        Set<String> adapted = adapter.sites().stream().map(Site::name).collect(Collectors.toSet());
        LoraConfig config = lowRank(adapter.method());
        Map<String, Experts> experts = experts(adapter);
        for (Map.Entry<String, JsonNode> layer : layers.properties()) {
            // Trained token rows are a module of their own inside the embedding.
            String module = layer.getKey().replaceFirst("\\.token_adapter$", "");
            Experts parameter = experts.get(module);
            // Where both sides of a model share an embedding, the reference counts it three times.
            String shared = module.replaceFirst("(encoder|decoder)\\.embed_tokens$", "shared");
            check.that(
                    adapted.contains(module) || adapted.contains(shared) || parameter != null,
                    module + " isn't adapted");
            JsonNode r = layer.getValue().path("r");
            JsonNode scaling = layer.getValue().path("scaling");
            Long rank = rank(adapter, module);
            if (r.isNumber() && rank != null) {
                long each = parameter == null ? 1 : parameter.count();
                check.same("r of " + module, rank, each * r.longValue());
            }
            if (scaling.isNumber() && config != null) {
                double found = config.scaling(parameter == null ? module : parameter.name());
                check.number("scaling of " + module, found, scaling.doubleValue(), SCALING);
            }
        }
    }

    /** Parameters of experts by what the reference calls the module around them: the last of a module has its name. */
    private static Map<String, Experts> experts(Adapter adapter) {
        Map<String, Experts> byModule = new LinkedHashMap<>();
        List<Site> sites = new ArrayList<>(adapter.sites());
        Collections.reverse(sites);
        for (Site site : sites) {
            if (site instanceof Experts parameter) {
                String module = parameter.module();
                while (byModule.containsKey(module)) {
                    module += ".base_layer";
                }
                byModule.put(module, parameter);
            }
        }
        return byModule;
    }

    private static @Nullable Long rank(Adapter adapter, String module) {
        for (String suffix : new String[] {".lora_A.weight", ".lora_embedding_A"}) {
            Parameter a = adapter.parameters().get(module + suffix);
            if (a != null) {
                return a.value().size(0);
            }
        }
        return null;
    }

    private static @Nullable LoraConfig lowRank(Method method) {
        return method instanceof LoraVariant variant ? variant.config() : null;
    }
}
