package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Figures;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.Combined;
import dev.graft.peft.composition.Likeness;
import dev.graft.peft.methods.Lora;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of {@code graft merge-adapters}. */
record MergeAdaptersRun(
        String model,
        List<String> adapters,
        ChosenWeights choice,
        Combination combination,
        Combination.Settings settings,
        long seed,
        HeadOptions head,
        ComputeOptions compute,
        PrintWriter err) {

    /** What came of it; also written beside the adapter as {@code combination.json}. */
    record Written(Path folder, Combined combined, ObjectNode report) {
        String shown(boolean json) {
            if (json) {
                return Json.pretty(report);
            }
            Adapter adapter = combined.adapter();
            StringBuilder text = new StringBuilder(String.format(
                    Locale.ROOT,
                    "%s: %s by %s, %s%s parameters%n",
                    folder,
                    adapter.method().type().name(),
                    report.get("combination").asString(),
                    adapter.method() instanceof Lora lora
                            ? "rank " + lora.config().r() + ", "
                            : "",
                    Figures.count(adapter.trainableCount())));
            combined.errors().entrySet().stream()
                    .max(Map.Entry.comparingByValue())
                    .ifPresent(worst -> text.append(String.format(
                            Locale.ROOT,
                            "  relative error of the updates %.2e, at most %.2e (%s)%n",
                            combined.error(),
                            worst.getValue(),
                            worst.getKey())));
            Likeness likeness = combined.likeness();
            if (likeness != null && likeness.cosines().size() > 1) {
                text.append(String.format(
                        Locale.ROOT,
                        "  signs differ at %.1f %% of the changed entries; cosines between updates %s%n",
                        100 * likeness.conflicts(),
                        cosines(likeness)));
            }
            double times =
                    adapter.trainableCount() / report.get("parameters_of_all").doubleValue();
            if (times > 1.5) {
                text.append(String.format(
                        Locale.ROOT,
                        "  it has %.1f times the parameters of all of them together: an update of pruned entries has a full rank;"
                                + " take %s_svd or --rank for a smaller one%n",
                        times,
                        report.get("combination").asString()));
            }
            return text.toString().stripTrailing();
        }

        private static String cosines(Likeness likeness) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < likeness.cosines().size(); i++) {
                for (int j = 0; j < i; j++) {
                    text.append(text.isEmpty() ? "" : ", ")
                            .append(String.format(
                                    Locale.ROOT,
                                    "%.2f",
                                    likeness.cosines().get(i).get(j)));
                }
            }
            return text.toString();
        }
    }

    Written write(OutFolder out, @Nullable Integer rank) {
        out.requireFree();
        Loading loaded = Loading.of(model, adapters, head, compute, err);
        out.requireElsewhere(loaded, adapters, "combined");
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        List<Double> weights = choice.of(loaded, report, err);
        List<Adapter> kept = new ArrayList<>();
        List<Double> own = new ArrayList<>();
        for (int i = 0; choice.data() != null && i < weights.size(); i++) {
            // What was chosen to have no part takes no place in the result.
            if (weights.get(i) != 0) {
                kept.add(loaded.adapters().get(i));
                own.add(weights.get(i));
            }
        }
        Combined combined = choice.data() == null
                ? Combined.of(loaded.adapters(), weights, combination, settings, rank)
                : Combined.of(kept, own, combination, settings, rank);
        report(report, weights, loaded.adapters(), combined);
        combined.adapter().save(out.path(), folder -> {
            try {
                Files.writeString(folder.resolve("combination.json"), Json.pretty(report) + "\n");
            } catch (IOException e) {
                throw new UncheckedIOException("cannot write " + folder + ": " + e.getMessage(), e);
            }
        });
        return new Written(out.path(), combined, report.put("out", out.path().toString()));
    }

    private void report(ObjectNode report, List<Double> weights, List<Adapter> sources, Combined combined) {
        report.put("method", combined.adapter().method().type().name()).put("combination", combination.title());
        ArrayNode from = report.putArray("adapters");
        adapters.forEach(from::add);
        ArrayNode weighted = report.putArray("weights");
        weights.forEach(weighted::add);
        if (!combination.isSum()) {
            report.put("density", settings.density()).put("seed", seed);
        }
        if (combined.adapter().method() instanceof Lora lora) {
            report.put("rank", lora.config().r());
        }
        report.put("parameters", combined.adapter().trainableCount())
                .put(
                        "parameters_of_all",
                        sources.stream().mapToLong(Adapter::trainableCount).sum())
                .put("relative_error", combined.error());
        Likeness likeness = combined.likeness();
        if (likeness != null) {
            report.put("sign_conflicts", likeness.conflicts());
            ArrayNode rows = report.putArray("cosines");
            likeness.cosines().forEach(row -> {
                ArrayNode cells = rows.addArray();
                row.forEach(cells::add);
            });
        }
        ObjectNode modules = report.putObject("modules");
        combined.errors().forEach(modules::put);
    }
}
