package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.serve.adapters.Adapters;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * llama.cpp's {@code /lora-adapters}: the adapters by number with their strengths, and new strengths for all of them, 0 for one that isn't
 * named. The strength scales an adapter in requests that name it as their model; 0 means the base. An adapter's number never changes.
 */
final class LoraAdaptersRoute implements Route {
    private final Adapters adapters;
    private final List<String> numbers = new ArrayList<>();

    LoraAdaptersRoute(Adapters adapters) {
        this.adapters = adapters;
    }

    @Override
    public void handle(Exchange exchange) throws IOException {
        List<String> names = adapters.names();
        Map<Integer, String> numbered = numbered(names);
        if (exchange.method().equals("POST")) {
            JsonNode body = Json.parse(ApiError.REQUEST, exchange.bytes());
            if (!body.isArray()) {
                throw new InputException("the request is no array, expected [{\"id\": 0, \"scale\": 1.0}, …]");
            }
            Map<String, Double> scales = new HashMap<>();
            for (JsonNode entry : body) {
                Fields fields = Fields.of(ApiError.REQUEST, entry);
                String name = numbered.get(fields.integer("id"));
                if (name == null) {
                    throw fields.invalid("id", "one of " + numbered.keySet() + ", as GET /lora-adapters gives them");
                }
                fields.number("scale");
                if (scales.put(name, fields.number("scale", 0, -100, 100)) != null) {
                    throw fields.error("id", "comes twice");
                }
                fields.rejectUnread("It is not supported; leave it out");
            }
            exchange.setModel(new TreeMap<>(scales).toString());
            names.forEach(name -> adapters.strength(name, scales.getOrDefault(name, 0.0)));
        }
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        numbered.forEach((id, name) -> {
            ObjectNode entry = list.addObject();
            entry.put("id", id);
            entry.put("path", name);
            entry.put("scale", adapters.strength(name));
        });
        exchange.sendJson(200, list);
    }

    /** The adapters that there are, by number; one that goes and comes again has the number that it had. */
    private synchronized Map<Integer, String> numbered(List<String> names) {
        names.stream().filter(name -> !numbers.contains(name)).forEach(numbers::add);
        Map<Integer, String> numbered = new TreeMap<>();
        names.forEach(name -> numbered.put(numbers.indexOf(name), name));
        return numbered;
    }
}
