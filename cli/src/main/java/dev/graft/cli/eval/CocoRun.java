package dev.graft.cli.eval;

import dev.graft.cli.terminal.Table;
import dev.graft.eval.suites.CocoFiles;
import dev.graft.eval.suites.Suite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Scores the results of a detector by COCO's rules. */
record CocoRun(Path folder, Path predictions) {

    String shown(boolean json) {
        CocoFiles coco = CocoFiles.in(folder);
        Map<String, Double> scores = coco.score(predictions);
        boolean twin = Suite.isTwin(folder);
        if (json) {
            ObjectNode report = JsonNodeFactory.instance.objectNode();
            report.put("suite", "coco").put("data", coco.file().toString()).put("data_is", twin ? "twin" : "real");
            report.put("predictions", predictions.toString()).put("images", coco.images());
            scores.forEach(report::put);
            return Json.pretty(report);
        }
        Table table = new Table("metric", "value");
        scores.forEach((name, value) -> table.row(name, String.format(Locale.ROOT, "%.4f", value)));
        return "coco, " + coco.file() + (twin ? ": a twin, generated rows" : " (real)") + ", " + coco.images()
                + " pictures; findings of " + predictions + ", since no detector runs here\n" + table;
    }
}
