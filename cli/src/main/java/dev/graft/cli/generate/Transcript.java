package dev.graft.cli.generate;

import dev.graft.formats.Json;
import java.nio.file.Path;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The transcript of a recording with its length in seconds. */
record Transcript(Path file, String text, double seconds) {
    /** {@code {"audio": "memo.wav", "text": "…", "seconds": 2.5}}. */
    String json() {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put("audio", file.toString());
        line.put("text", text);
        line.put("seconds", seconds);
        return Json.compact(line);
    }
}
