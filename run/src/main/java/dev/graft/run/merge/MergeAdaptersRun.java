package dev.graft.run.merge;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.peft.Adapter;
import dev.graft.peft.composition.Combination;
import dev.graft.peft.composition.CombinationSettings;
import dev.graft.peft.composition.CombinedAdapter;
import dev.graft.peft.composition.UpdateSimilarity;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.run.progress.UnitFormat;
import java.io.IOException;
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

/** A run of {@code graft merge-adapters}: combines adapters into one. */
public record MergeAdaptersRun(
        String model,
        List<String> adapters,
        CombinationWeights choice,
        Combination combination,
        CombinationSettings settings,
        long seed,
        HeadSettings head,
        ComputeSettings compute,
        RunListener listener) {

    /** The result. Its report is also written into the adapter's folder as {@code combination.json}. */
    public record Result(Path folder, CombinedAdapter combined, ObjectNode report) {
        public String shown(boolean json) {
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
                    UnitFormat.count(adapter.trainableCount())));
            combined.errors().entrySet().stream()
                    .max(Map.Entry.comparingByValue())
                    .ifPresent(worst -> text.append(String.format(
                            Locale.ROOT,
                            "  relative error of the updates %.2e, at most %.2e (%s)%n",
                            combined.error(),
                            worst.getValue(),
                            worst.getKey())));
            UpdateSimilarity similarity = combined.similarity();
            if (similarity != null && similarity.cosines().size() > 1) {
                text.append(String.format(
                        Locale.ROOT,
                        "  signs differ at %.1f %% of the changed entries; cosines between updates %s%n",
                        100 * similarity.conflicts(),
                        cosines(similarity)));
            }
            double times =
                    adapter.trainableCount() / report.get("parameters_of_all").doubleValue();
            if (times > 1.5) {
                text.append(String.format(
                        Locale.ROOT,
                        "  it has %.1f times the parameters of all of them together: an update of pruned entries has a"
                                + " full rank; take %s_svd or --rank for a smaller one%n",
                        times,
                        report.get("combination").asString()));
            }
            return text.toString().stripTrailing();
        }

        private static String cosines(UpdateSimilarity similarity) {
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < similarity.cosines().size(); i++) {
                for (int j = 0; j < i; j++) {
                    text.append(text.isEmpty() ? "" : ", ")
                            .append(String.format(
                                    Locale.ROOT,
                                    "%.2f",
                                    similarity.cosines().get(i).get(j)));
                }
            }
            return text.toString();
        }
    }

    public Result write(ModelFolder out, @Nullable Integer rank) {
        out.requireFree();
        LoadedModel loaded = LoadedModel.of(model, adapters, head, compute, listener);
        out.requireElsewhere(loaded, adapters, "combined");
        ObjectNode report = JsonNodeFactory.instance.objectNode();
        List<Double> weights = choice.of(loaded, report, listener);
        List<Adapter> kept = new ArrayList<>();
        List<Double> own = new ArrayList<>();
        for (int i = 0; choice.data() != null && i < weights.size(); i++) {
            // What was chosen to have no part takes no place in the result.
            if (weights.get(i) != 0) {
                kept.add(loaded.adapters().get(i));
                own.add(weights.get(i));
            }
        }
        CombinedAdapter combined = choice.data() == null
                ? CombinedAdapter.of(loaded.adapters(), weights, combination, settings, rank)
                : CombinedAdapter.of(kept, own, combination, settings, rank);
        report(report, weights, loaded.adapters(), combined);
        combined.adapter().save(out.path(), folder -> {
            try {
                Files.writeString(folder.resolve("combination.json"), Json.pretty(report) + "\n");
            } catch (IOException e) {
                throw new FileAccessException("cannot write " + folder, e);
            }
        });
        return new Result(out.path(), combined, report.put("out", out.path().toString()));
    }

    private void report(ObjectNode report, List<Double> weights, List<Adapter> sources, CombinedAdapter combined) {
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
        UpdateSimilarity similarity = combined.similarity();
        if (similarity != null) {
            report.put("sign_conflicts", similarity.conflicts());
            ArrayNode rows = report.putArray("cosines");
            similarity.cosines().forEach(row -> {
                ArrayNode cells = rows.addArray();
                row.forEach(cells::add);
            });
        }
        ObjectNode modules = report.putObject("modules");
        combined.errors().forEach(modules::put);
    }
}
