package dev.graft.run.merge;

import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Merge;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.HeadSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft merge}: merges adapters into their base. */
public record MergeRun(
        String model,
        List<String> adapters,
        HeadSettings head,
        ComputeSettings compute,
        Merge.QuantizedPolicy policy,
        RunListener listener) {

    /** A written model and its comparison with the unmerged one. */
    public record Result(Path folder, String dtype, LogitSimilarity similarity, Map<String, Double> lost) {
        public String shown(boolean json) {
            if (json) {
                ObjectNode node = JsonNodeFactory.instance
                        .objectNode()
                        .put("out", folder.toString())
                        .put("dtype", dtype)
                        .put("merged_max_diff", similarity.maxDifference())
                        .put("logits_max", similarity.largest())
                        .put("greedy_agreement", similarity.agreement())
                        .put("positions", similarity.positions());
                if (!lost.isEmpty()) {
                    ObjectNode errors = node.putObject("requantization_error");
                    lost.forEach(errors::put);
                }
                return Json.pretty(node);
            }
            return String.format(
                            Locale.ROOT,
                            "%s: merged in %s%n  largest difference of a logit from the adapted model: %.2g (logits up"
                                    + " to %.3g)%n  same likeliest answer at %.2f %% of %d positions",
                            folder,
                            dtype,
                            similarity.maxDifference(),
                            similarity.largest(),
                            100 * similarity.agreement(),
                            similarity.positions())
                    + whatWasLost();
        }

        private String whatWasLost() {
            if (lost.isEmpty()) {
                return "";
            }
            Map.Entry<String, Double> worst = Collections.max(lost.entrySet(), Map.Entry.comparingByValue());
            double sum = 0;
            for (double one : lost.values()) {
                sum += one;
            }
            return String.format(
                    Locale.ROOT,
                    "%n  quantised again: %d matrices, off by %.2f %% on average, %s most by %.2f %%",
                    lost.size(),
                    100 * sum / lost.size(),
                    worst.getKey(),
                    100 * worst.getValue());
        }
    }

    public Result write(ModelFolder out) {
        out.requireFree();
        LoadedModel loaded = LoadedModel.of(model, adapters, head, compute, listener);
        out.requireElsewhere(loaded, adapters, "merged");
        loaded.requireTrained();
        Merge.Merged result = Merge.merge(loaded.base(), loaded.selection(), policy);
        Base merged = result.base();
        LogitSimilarity similarity = LogitSimilarity.of(loaded, merged);
        merged.save(out.path());
        return new Result(out.path(), LoadedModel.precision(merged), similarity, result.relativeErrors());
    }
}
