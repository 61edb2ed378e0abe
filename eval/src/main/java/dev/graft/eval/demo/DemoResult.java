package dev.graft.eval.demo;

import dev.graft.eval.cost.Machine;
import dev.graft.eval.predict.Classifier.Answer;
import dev.graft.tensor.Numerics;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a demonstration came to.
 *
 * @param labels the kinds, by their ids
 * @param steps loss of each step of LoRA
 * @param epochs accuracy on the test rows after each epoch of LoRA; nothing is chosen by it
 * @param trainableLine PEFT's line
 * @param peakResident bytes; null where the system does not say
 * @param load processes that wanted a core in the last minute, when it ended; negative where the system does not say
 */
public record DemoResult(
        DemoSettings settings,
        List<String> labels,
        int trainRows,
        int testRows,
        Score probe,
        Score lora,
        List<Double> steps,
        List<Double> epochs,
        String trainableLine,
        double trainablePercent,
        long adapterBytes,
        Reloaded reloaded,
        Merged merged,
        Map<String, Answer> answers,
        double seconds,
        @Nullable Long peakResident,
        double load,
        Machine machine) {

    /** The most that logits of the adapted and the merged model may differ in fp32. */
    public static final double MERGE_TOLERANCE = 1e-3;

    /**
     * The adapter in a fresh process.
     *
     * @param different test rows that it gives another kind
     * @param maxDiff largest difference of a logit
     */
    public record Reloaded(int rows, int different, double maxDiff) {}

    /**
     * The merged model beside the adapted one, in fp32.
     *
     * @param rows test rows compared
     * @param maxDiff largest difference of a logit
     */
    public record Merged(int rows, double maxDiff) {}

    public DemoResult {
        labels = List.copyOf(labels);
        steps = List.copyOf(steps);
        epochs = List.copyOf(epochs);
    }

    /** What should hold and doesn't; empty if all is well. */
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

    /** Commands that go on from here. */
    public List<String> nextCommands() {
        String adapter = settings.folder().resolve("adapter").toString();
        return List.of(
                "./graft inspect --model " + settings.model() + " --adapter " + adapter,
                "./graft predict --model " + settings.model() + " --adapter " + adapter
                        + " --text \"a small house on wheels\"",
                "./graft train recipes/minilm-classify.yaml");
    }

    /** What {@code report.json} holds. */
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
