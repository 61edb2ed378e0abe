package dev.graft.cli.export;

import dev.graft.formats.Json;
import dev.graft.run.export.ExportRun;
import dev.graft.run.merge.LogitSimilarity;
import dev.graft.run.progress.UnitFormat;
import java.util.Locale;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The exported files for people and for programs.
 *
 * @param dtype the name of the type of the matrices
 */
record ExportText(ExportRun.Result result, String dtype) {
    String json() {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("out", result.out().toString())
                .put("form", result.format().toString())
                .put("dtype", dtype)
                .put("bytes", result.bytes());
        LogitSimilarity similarity = result.similarity();
        if (similarity != null) {
            json.put("max_diff", similarity.maxDifference())
                    .put("logits_max", similarity.largest())
                    .put("greedy_agreement", similarity.agreement())
                    .put("positions", similarity.positions());
        }
        return Json.pretty(json);
    }

    String text() {
        String line = result.out() + ": " + result.format() + " in " + dtype + ", " + UnitFormat.bytes(result.bytes());
        LogitSimilarity similarity = result.similarity();
        return similarity == null
                ? line
                : line
                        + String.format(
                                Locale.ROOT,
                                "%n  read again: largest difference of a logit from the adapted model %.2g (logits up"
                                        + " to %.3g)%n  same likeliest answer at %.2f %% of %d positions",
                                similarity.maxDifference(),
                                similarity.largest(),
                                100 * similarity.agreement(),
                                similarity.positions());
    }
}
