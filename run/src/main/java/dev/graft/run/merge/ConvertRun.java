package dev.graft.run.merge;

import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.convert.LoraConversion;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft convert --to lora}: converts an adapter of another method to LoRA. */
public record ConvertRun(
        String model, String adapter, HeadSettings head, ComputeSettings compute, RunListener listener) {

    /** A written LoRA and its distance from the original adapter. */
    public record Result(Path folder, String method, LoraConversion conversion) {
        public String shown(boolean json) {
            int rank = ((Lora) conversion.adapter().method()).config().r();
            if (json) {
                ObjectNode result = JsonNodeFactory.instance
                        .objectNode()
                        .put("out", folder.toString())
                        .put("from", method)
                        .put("rank", rank)
                        .put("trainable", conversion.adapter().trainableCount())
                        .put("relative_error", conversion.error());
                ObjectNode modules = result.putObject("modules");
                conversion.errors().forEach(modules::put);
                return Json.pretty(result);
            }
            StringBuilder text = new StringBuilder();
            conversion
                    .errors()
                    .forEach((module, error) ->
                            text.append(String.format(Locale.ROOT, "  %-60s %.2e%n", module, error)));
            return text
                    + String.format(
                            Locale.ROOT,
                            "%s: %s as LoRA of rank %d, %s parameters, relative error of the update %.2e",
                            folder,
                            method,
                            rank,
                            UnitFormat.count(conversion.adapter().trainableCount()),
                            conversion.error());
        }
    }

    /**
     * Writes the LoRA.
     *
     * @param rank the maximum rank of an update; null for the rank that each update needs to be exact
     * @param truncates true to keep the first ranks of a LoRA; false for the nearest matrices of that rank
     */
    public Result write(ModelFolder out, @Nullable Integer rank, boolean truncates) {
        out.requireFree();
        LoadedModel loaded = LoadedModel.of(model, List.of(adapter), head, compute, listener);
        out.requireElsewhere(loaded, List.of(adapter), "converted");
        Adapter from = loaded.adapters().get(0);
        LoraConversion conversion =
                truncates && rank != null ? LoraConversion.truncated(from, rank) : LoraConversion.of(from, rank);
        conversion.adapter().save(out.path());
        return new Result(out.path(), from.method().type().name(), conversion);
    }
}
