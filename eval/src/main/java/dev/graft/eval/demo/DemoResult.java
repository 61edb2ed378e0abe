package dev.graft.eval.demo;

import dev.graft.eval.cost.Machine;
import dev.graft.eval.predict.TextClassifier.Classification;
import dev.graft.tensor.Numerics;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The result of a demonstration.
 *
 * @param labels the class names, by their ids
 * @param steps the loss of each step of LoRA
 * @param epochs the accuracy on the test rows after each epoch of LoRA; it selects nothing
 * @param trainableLine the line of PEFT's {@code print_trainable_parameters}
 * @param peakResident the peak resident memory in bytes; null if unknown
 * @param load the load average of the last minute at the end; negative if unknown
 */
public record DemoResult(
        DemoSettings settings,
        List<String> labels,
        int trainRows,
        int testRows,
        DemoScore probe,
        DemoScore lora,
        List<Double> steps,
        List<Double> epochs,
        String trainableLine,
        double trainablePercent,
        long adapterBytes,
        Reloaded reloaded,
        Merged merged,
        Map<String, Classification> answers,
        double seconds,
        @Nullable Long peakResident,
        double load,
        Machine machine) {

    /** The largest accepted difference between logits of the adapted and the merged model in fp32. */
    public static final double MERGE_TOLERANCE = 1e-3;

    /**
     * The comparison with the adapter in a new process.
     *
     * @param different the number of test rows whose predicted class differs
     * @param maxDiff the largest difference of a logit
     */
    public record Reloaded(int rows, int different, double maxDiff) {}

    /**
     * The comparison of the merged and the adapted model, in fp32.
     *
     * @param rows the number of compared test rows
     * @param maxDiff the largest difference of a logit
     */
    public record Merged(int rows, double maxDiff) {}

    public DemoResult {
        labels = List.copyOf(labels);
        steps = List.copyOf(steps);
        epochs = List.copyOf(epochs);
    }

    /** Returns the expectations that failed; empty if all hold. */
    public List<String> failures() {
        List<String> failures = new ArrayList<>();
        if (reloaded.different > 0) {
            failures.add("the adapter loaded in a fresh process gives " + reloaded.different + " of " + reloaded.rows
                    + " rows another kind");
        }
        if (!(merged.maxDiff <= MERGE_TOLERANCE)) {
            failures.add(
                    "the merged model's logits differ by up to " + merged.maxDiff + ", more than " + MERGE_TOLERANCE);
        }
        return failures;
    }

    /** Returns commands to try next. */
    public List<String> nextCommands() {
        String adapter = settings.folder().resolve("adapter").toString();
        return List.of(
                "./graft inspect --model " + settings.model() + " --adapter " + adapter,
                "./graft predict --model " + settings.model() + " --adapter " + adapter
                        + " --text \"a small house on wheels\"",
                "./graft train recipes/minilm-classify.yaml");
    }

    /** Returns the content of {@code report.json}. */
    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", settings.model());
        json.put("data", settings.data());
        json.put("seed", settings.seed());
        json.put("dtype", dtype());
        json.put("train_rows", trainRows).put("test_rows", testRows).put("kinds", labels.size());
        json.set("probe", probe.toJson());
        ObjectNode trained = lora.toJson();
        trained.put("rank", 16).put("alpha", 32).put("learning_rate", settings.learningRate());
        trained.put("epochs", settings.epochs()).put("steps", steps.size());
        ArrayNode byEpoch = trained.putArray("accuracy_by_epoch");
        epochs.forEach(byEpoch::add);
        json.set("lora", trained);
        json.put("trainable_percent", trainablePercent);
        json.put("merged_max_diff", merged.maxDiff);
        json.put("merged_tolerance", MERGE_TOLERANCE).put("merged_dtype", "fp32");
        json.put("reloaded_max_diff", reloaded.maxDiff).put("reloaded_different", reloaded.different);
        json.put("adapter_bytes", adapterBytes);
        if (peakResident == null) {
            json.putNull("peak_rss_mb");
        } else {
            json.put("peak_rss_mb", Math.round(peakResident / 104857.6) / 10.0);
        }
        json.put("seconds", seconds);
        json.put("load_average", load);
        ArrayNode asked = json.putArray("answers");
        answers.forEach((text, answer) -> asked.addObject()
                .put("text", text)
                .put("label", answer.label())
                .put("probability", answer.probability()));
        ArrayNode failures = json.putArray("failures");
        failures().forEach(failures::add);
        json.set("machine", machine.toJson());
        return json;
    }

    String dtype() {
        return settings.numerics().equals(Numerics.BF16) ? "bf16" : "fp32";
    }
}
