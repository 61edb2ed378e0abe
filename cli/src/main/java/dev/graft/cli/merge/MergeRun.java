package dev.graft.cli.merge;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Merge;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** One run of {@code graft merge}. */
record MergeRun(
        String model,
        List<String> adapters,
        HeadOptions head,
        ComputeOptions compute,
        Merge.Quantised quantised,
        PrintWriter err) {

    /** A written model and how it compares with the one that has its adapters beside it. */
    record Written(Path folder, String dtype, Likeness likeness, Map<String, Double> lost) {
        String shown(boolean json) {
            if (json) {
                ObjectNode node = JsonNodeFactory.instance
                        .objectNode()
                        .put("out", folder.toString())
                        .put("dtype", dtype)
                        .put("merged_max_diff", likeness.maxDifference())
                        .put("logits_max", likeness.largest())
                        .put("greedy_agreement", likeness.agreement())
                        .put("positions", likeness.positions());
                if (!lost.isEmpty()) {
                    ObjectNode errors = node.putObject("requantization_error");
                    lost.forEach(errors::put);
                }
                return Json.pretty(node);
            }
            return String.format(
                            Locale.ROOT,
                            "%s: merged in %s%n  largest difference of a logit from the adapted model: %.2g (logits up to %.3g)%n"
                                    + "  same likeliest answer at %.2f %% of %d positions",
                            folder,
                            dtype,
                            likeness.maxDifference(),
                            likeness.largest(),
                            100 * likeness.agreement(),
                            likeness.positions())
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

    Written write(OutFolder out) {
        out.requireFree();
        Loading loaded = Loading.of(model, adapters, head, compute, err);
        out.requireElsewhere(loaded, adapters, "merged");
        loaded.requireTrained();
        Merge.Merged result = Merge.merge(loaded.base(), loaded.selection(), quantised);
        Base merged = result.base();
        Likeness likeness = Likeness.of(loaded, merged);
        merged.save(out.path());
        return new Written(out.path(), Loading.numbers(merged), likeness, result.lost());
    }
}
