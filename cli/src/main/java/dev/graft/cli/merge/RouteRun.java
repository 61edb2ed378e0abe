package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.Arrow;
import dev.graft.peft.methods.ArrowConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of {@code graft merge-adapters --combination arrow}. */
record RouteRun(
        String model,
        List<String> adapters,
        List<String> general,
        ArrowConfig config,
        HeadOptions head,
        ComputeOptions compute,
        PrintWriter err) {

    /** What came of it. */
    record Written(Path folder, ArrowConfig config, List<String> adapters, List<String> general, int modules) {
        String shown(boolean asJson) {
            if (!asJson) {
                return String.format(
                        Locale.ROOT,
                        "%s: each token takes %d of %d adapters at each of %d modules%s",
                        folder,
                        config.topK(),
                        adapters.size(),
                        modules,
                        general.isEmpty() ? "" : ", less the mean of " + general.size() + " general ones");
            }
            ObjectNode json = JsonNodeFactory.instance
                    .objectNode()
                    .put("out", folder.toString())
                    .put("method", "arrow")
                    .put("top_k", config.topK())
                    .put("temperature", config.temperature())
                    .put("modules", modules);
            adapters.forEach(json.putArray("adapters")::add);
            general.forEach(json.putArray("general")::add);
            return Json.pretty(json);
        }
    }

    Written write(OutFolder out) {
        out.requireFree();
        List<String> all = Stream.concat(adapters.stream(), general.stream()).toList();
        Loading loaded = Loading.of(model, all, head, compute, err);
        out.requireElsewhere(loaded, all, "combined");
        Adapter router = Adapter.create(
                loaded.base(),
                Arrow.of(
                        config,
                        loaded.adapters().subList(0, adapters.size()),
                        loaded.adapters().subList(adapters.size(), all.size())),
                0);
        router.save(out.path());
        return new Written(out.path(), config, adapters, general, router.sites().size());
    }
}
