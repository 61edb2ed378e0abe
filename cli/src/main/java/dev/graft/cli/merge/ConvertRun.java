package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Figures;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.convert.ToLora;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of {@code graft convert --to lora}. */
record ConvertRun(String model, String adapter, HeadOptions head, ComputeOptions compute, PrintWriter err) {

    /** A written adapter and how far it is from the one it was made of. */
    record Written(Path folder, String method, ToLora lora) {
        String shown(boolean json) {
            int rank = ((dev.graft.peft.methods.Lora) lora.adapter().method())
                    .config()
                    .r();
            if (json) {
                ObjectNode result = JsonNodeFactory.instance
                        .objectNode()
                        .put("out", folder.toString())
                        .put("from", method)
                        .put("rank", rank)
                        .put("trainable", lora.adapter().trainableCount())
                        .put("relative_error", lora.error());
                ObjectNode modules = result.putObject("modules");
                lora.errors().forEach(modules::put);
                return Json.pretty(result);
            }
            StringBuilder text = new StringBuilder();
            lora.errors()
                    .forEach((module, error) ->
                            text.append(String.format(Locale.ROOT, "  %-60s %.2e%n", module, error)));
            return text
                    + String.format(
                            Locale.ROOT,
                            "%s: %s as LoRA of rank %d, %s parameters, relative error of the update %.2e",
                            folder,
                            method,
                            rank,
                            Figures.count(lora.adapter().trainableCount()),
                            lora.error());
        }
    }

    /**
     * Writes the LoRA.
     *
     * @param truncates whether it is what the first ranks of a LoRA are; else what is nearest to the adapter
     */
    Written write(OutFolder out, @Nullable Integer rank, boolean truncates) {
        out.requireFree();
        Loading loaded = Loading.of(model, List.of(adapter), head, compute, err);
        out.requireElsewhere(loaded, List.of(adapter), "converted");
        Adapter from = loaded.adapters().get(0);
        ToLora lora = truncates && rank != null ? ToLora.truncated(from, rank) : ToLora.of(from, rank);
        lora.adapter().save(out.path());
        return new Written(out.path(), from.method().type().name(), lora);
    }
}
