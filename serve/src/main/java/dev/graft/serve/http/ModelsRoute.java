package dev.graft.serve.http;

import dev.graft.peft.store.Canary;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.LoadedAdapter;
import dev.graft.serve.adapters.VirtualAdapter;
import java.io.IOException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** {@code GET /v1/models}, and one of them: the base, and each adapter with the base as its parent. */
final class ModelsRoute implements Route {
    private static final String PATH = "/v1/models";
    private final Adapters adapters;
    private final long started = System.currentTimeMillis() / 1000;

    ModelsRoute(Adapters adapters) {
        this.adapters = adapters;
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        String path = exchange.path();
        if (path.length() > PATH.length()) {
            String name = path.substring(PATH.length() + 1);
            if (!adapters.has(name)) {
                throw new ApiError(404, "invalid_request_error", "model_not_found", "there is no such model")
                        .forField("model");
            }
            exchange.sendJson(200, model(name));
            return;
        }
        ObjectNode body = JsonNodeFactory.instance.objectNode();
        body.put("object", "list");
        ArrayNode data = body.putArray("data");
        data.add(model(adapters.baseName()));
        adapters.names().forEach(name -> data.add(model(name)));
        exchange.sendJson(200, body);
    }

    private ObjectNode model(String name) {
        @Nullable LoadedAdapter loaded = adapters.loaded(name);
        ObjectNode model = JsonNodeFactory.instance.objectNode();
        model.put("id", name);
        model.put("object", "model");
        model.put("created", loaded == null ? started : loaded.loadedAt().getEpochSecond());
        model.put("owned_by", "graft");
        model.put("root", name);
        model.put("parent", name.equals(adapters.baseName()) ? null : adapters.baseName());
        model.put("loaded", name.equals(adapters.baseName()) || loaded != null);
        if (name.equals(adapters.baseName())) {
            model.put("task", adapters.base().task().name().toLowerCase(Locale.ROOT));
            model.put("parameters", adapters.base().parameterCount());
        }
        Canary canary = adapters.canary(name);
        if (canary != null) {
            model.putObject("canary").put("adapter", canary.target()).put("share", canary.share());
        }
        VirtualAdapter virtual = adapters.virtual(name);
        if (virtual != null) {
            ObjectNode parts =
                    model.put("combination", virtual.combination().title()).putObject("adapters");
            virtual.weights().forEach(parts::put);
        }
        if (loaded != null) {
            model.put("method", loaded.adapter().method().type().name());
            model.put(
                    "parameters",
                    loaded.adapter().totalCount() - adapters.base().parameterCount());
            model.put("bytes", loaded.bytes());
            model.put("revision", adapters.revision(name));
        }
        return model;
    }
}
