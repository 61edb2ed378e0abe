package dev.graft.parity;

import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Parameter;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.peft.methods.LoraVariant;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Which modules an adapter acts on, with which rank and scaling. */
final class Modules {
    private static final Tolerance SCALING = new Tolerance(0, 1e-6);

    private Modules() {}

    /** Compares a table of {@code module: {"r", "scaling"}}. */
    static void compare(Check check, Adapter adapter, JsonNode layers) {
        Set<String> adapted = adapter.sites().stream().map(Site::name).collect(Collectors.toSet());
        LoraConfig config = lowRank(adapter.method());
        for (Map.Entry<String, JsonNode> layer : layers.properties()) {
            // Trained token rows are a module of their own inside the embedding.
            String module = layer.getKey().replaceFirst("\\.token_adapter$", "");
            check.that(adapted.contains(module), module + " isn't adapted");
            JsonNode r = layer.getValue().path("r");
            JsonNode scaling = layer.getValue().path("scaling");
            Long rank = rank(adapter, module);
            if (r.isNumber() && rank != null) {
                check.same("r of " + module, rank, r.longValue());
            }
            if (scaling.isNumber() && config != null) {
                check.number("scaling of " + module, config.scaling(module), scaling.doubleValue(), SCALING);
            }
        }
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
