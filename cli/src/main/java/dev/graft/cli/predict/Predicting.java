package dev.graft.cli.predict;

import dev.graft.cli.model.Loading;
import dev.graft.cli.model.RecordedRows;
import dev.graft.eval.run.ServingRecord;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import java.io.PrintWriter;
import java.util.List;
import java.util.function.Supplier;
import tools.jackson.databind.node.ObjectNode;

/**
 * A loaded model, and where its answers go.
 *
 * @param adapters as the command names them
 * @param asJson whether an answer is a line of JSON
 */
record Predicting(Loading loading, List<String> adapters, boolean asJson, PrintWriter out) {
    Base base() {
        return loading.base();
    }

    Hooks hooks() {
        return loading.selection().hooks();
    }

    /** Gives an answer, as JSON or for a person. */
    void say(Supplier<ObjectNode> json, Supplier<String> text) {
        out.println(asJson ? Json.compact(json.get()) : text.get());
        out.flush();
    }

    /** The base, whose head must not be random. */
    Base trained() {
        loading.requireTrained();
        return base();
    }

    /** What the first adapter's folder says of its use. */
    ServingRecord record() {
        return RecordedRows.record(adapters);
    }
}
