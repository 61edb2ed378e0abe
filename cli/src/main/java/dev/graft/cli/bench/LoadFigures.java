package dev.graft.cli.bench;

import dev.graft.cli.terminal.Figures;
import dev.graft.formats.Json;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What loading took.
 *
 * @param bytes of the weights
 * @param first seconds of the first time
 * @param again seconds once the files are in memory
 * @param share by how many times the weights memory grew, or null where the system doesn't say
 */
record LoadFigures(
        String model,
        String numbers,
        long bytes,
        double first,
        double again,
        @Nullable Double share) {
    String json() {
        ObjectNode node = JsonNodeFactory.instance.objectNode();
        node.put("model", model)
                .put("seconds", again)
                .put("first_seconds", first)
                .put("weight_bytes", bytes)
                .put("memory_share", share);
        return Json.compact(node);
    }

    String text() {
        return String.format(
                Locale.ROOT,
                "%s: %s of weights in %s, ready in %.2f s (%.2f s the first time)%s",
                model,
                Figures.bytes(bytes),
                numbers,
                again,
                first,
                share == null ? "" : String.format(Locale.ROOT, ", memory grew by %.2f times the weights", share));
    }
}
