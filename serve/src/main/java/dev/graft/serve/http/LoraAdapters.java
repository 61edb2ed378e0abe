package dev.graft.serve.http;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.serve.Adapters;
import java.io.IOException;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * llama.cpp's {@code /lora-adapters}: the adapters by number with their strengths, and new strengths for them. An adapter acts where a request
 * names it as its model, as strongly as is said here; at 0 it is the base.
 */
final class LoraAdapters implements Route {
    private final Adapters adapters;

    LoraAdapters(Adapters adapters) {
        this.adapters = adapters;
    }

    @Override
    public void answer(Exchange exchange) throws IOException {
        List<String> names = adapters.names();
        if (exchange.method().equals("POST")) {
            JsonNode body = Json.parse(Exchange.BODY, exchange.bytes());
            if (!body.isArray()) {
                throw new InputException("the request is no array, expected [{\"id\": 0, \"scale\": 1.0}, …]");
            }
            double[] scales = new double[names.size()];
            for (JsonNode entry : body) {
                Fields fields = Fields.of(Exchange.BODY, entry);
                int id = fields.integer("id");
                if (id < 0 || id >= scales.length) {
                    throw fields.wrong("id", "one of the " + scales.length + " adapters, counted from 0");
                }
                scales[id] = fields.number("scale", 1, -100, 100);
                fields.refuseUnread("they are not supported; leave them out");
            }
            for (int i = 0; i < scales.length; i++) {
                adapters.strength(names.get(i), scales[i]);
            }
        }
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (int i = 0; i < names.size(); i++) {
            ObjectNode entry = list.addObject();
            entry.put("id", i);
            entry.put("path", names.get(i));
            entry.put("scale", adapters.strength(names.get(i)));
        }
        exchange.json(200, list);
    }
}
