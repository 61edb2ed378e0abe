package dev.graft.hub;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** Reads {@code model.safetensors.index.json}, which maps tensors to shards. */
final class SafetensorsIndex {
    static final String NAME = "model.safetensors.index.json";

    private SafetensorsIndex() {}

    /** The names of the shards, sorted. */
    static List<String> shards(Path index) {
        JsonNode map = Json.read(index).path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw new FormatException(index, "expected an object 'weight_map' of tensor name -> shard");
        }
        TreeSet<String> shards = new TreeSet<>();
        map.properties().forEach(entry -> {
            String shard = entry.getValue().isString() ? entry.getValue().asString() : "";
            if (!shard.matches("[\\w.-]+\\.safetensors")) {
                throw new FormatException(
                        index,
                        "tensor " + entry.getKey() + ": expected the name of a safetensors file beside the index,"
                                + " found " + entry.getValue());
            }
            shards.add(shard);
        });
        return List.copyOf(shards);
    }
}
