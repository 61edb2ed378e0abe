package dev.graft.cli.export;

import dev.graft.cli.merge.Likeness;
import dev.graft.cli.terminal.Figures;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What was written.
 *
 * @param likeness to the adapted model, or null where nothing was compared
 */
record Exported(
        Path out,
        String form,
        String dtype,
        long bytes,
        @Nullable Likeness likeness) {
    String json() {
        ObjectNode result = JsonNodeFactory.instance
                .objectNode()
                .put("out", out.toString())
                .put("form", form)
                .put("dtype", dtype)
                .put("bytes", bytes);
        if (likeness != null) {
            result.put("max_diff", likeness.maxDifference())
                    .put("logits_max", likeness.largest())
                    .put("greedy_agreement", likeness.agreement())
                    .put("positions", likeness.positions());
        }
        return Json.pretty(result);
    }

    String text() {
        String line = out + ": " + form + " in " + dtype + ", " + Figures.bytes(bytes);
        return likeness == null
                ? line
                : line
                        + String.format(
                                Locale.ROOT,
                                "%n  read again: largest difference of a logit from the adapted model %.2g (logits up to %.3g)%n"
                                        + "  same likeliest answer at %.2f %% of %d positions",
                                likeness.maxDifference(),
                                likeness.largest(),
                                100 * likeness.agreement(),
                                likeness.positions());
    }
}
