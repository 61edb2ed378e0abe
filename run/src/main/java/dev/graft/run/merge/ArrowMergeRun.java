package dev.graft.run.merge;

import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.mixture.Arrow;
import dev.graft.peft.methods.mixture.ArrowConfig;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft merge-adapters --combination arrow}. */
public record ArrowMergeRun(
        String model,
        List<String> adapters,
        List<String> general,
        ArrowConfig config,
        HeadSettings head,
        ComputeSettings compute,
        RunListener listener) {

    /** The result of the merge. */
    public record Result(Path folder, ArrowConfig config, List<String> adapters, List<String> general, int modules) {
        public String shown(boolean asJson) {
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

    public Result write(ModelFolder out) {
        out.requireFree();
        List<String> all = Stream.concat(adapters.stream(), general.stream()).toList();
        LoadedModel loaded = LoadedModel.of(model, all, head, compute, listener);
        out.requireElsewhere(loaded, all, "combined");
        Adapter router = Adapter.create(
                loaded.base(),
                Arrow.of(
                        config,
                        loaded.adapters().subList(0, adapters.size()),
                        loaded.adapters().subList(adapters.size(), all.size())),
                0);
        router.save(out.path());
        return new Result(out.path(), config, adapters, general, router.sites().size());
    }
}
