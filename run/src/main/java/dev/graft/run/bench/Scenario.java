package dev.graft.run.bench;

import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A scenario of the comparison: a base, a task and a method.
 *
 * @param method the method by its name in the PEFT script
 * @param model the source of the base
 * @param batch rows in a batch
 * @param stored the published type of the base, in which PEFT computes by default
 */
public record Scenario(String title, String model, WorkloadTask task, String method, int batch, Numerics stored) {
    /** The number of labels, the same as in {@code make_workload.py}. */
    private static final int LABELS = 8;

    /** The methods that both Graft and PEFT can train, by Graft's names. */
    public static final List<String> METHODS = List.of("lora", "dora", "ia3", "prompt-tuning", "prefix-tuning");

    /** Returns the name of a method in the PEFT script, given by either name; null if it has none. */
    public static @Nullable String peerName(String method) {
        String name = method.replaceFirst("^(prompt|prefix)-tuning$", "$1");
        return METHODS.contains(name) || name.equals("prompt") || name.equals("prefix") ? name : null;
    }

    /**
     * Returns the scenarios of a method: both bases, but only the causal one for prompts and prefixes, which PEFT lacks for classifiers
     * like MiniLM.
     */
    public static List<Scenario> of(String method) {
        String named = method.equals("lora") ? "" : ", " + method;
        Scenario causal = new Scenario(
                "SmolLM2-135M, causal, batch 4" + named, "smollm2", WorkloadTask.CAUSAL, method, 4, Numerics.BF16);
        Scenario classify = new Scenario(
                "MiniLM-L6, classify, batch 32" + named,
                "minilm-safetensors",
                WorkloadTask.CLASSIFY,
                method,
                32,
                Numerics.FP32);
        return method.startsWith("pr") ? List.of(causal) : List.of(causal, classify);
    }

    /**
     * Returns whether each side starts from its own random draw, far from the base: then their first losses can't be
     * compared.
     */
    boolean startsAtRandom() {
        return method.startsWith("prefix");
    }

    /** The options for the method with its rank and targets; other methods use the peer's defaults. */
    List<String> options() {
        return method.equals("lora") || method.equals("dora")
                ? List.of("--method=" + method, "--targets=all-linear", "--rank=16")
                : List.of("--method=" + method);
    }

    /**
     * Writes the base as a Hugging Face folder that both sides load, with the head that both train, so that both start from the same loss.
     *
     * @return the size of its vocabulary
     */
    int save(Path folder, Hub hub) {
        Base.Options options = Base.Options.of(task.task()).withNumerics(stored);
        if (task == WorkloadTask.CLASSIFY) {
            options = options.withLabels(
                    IntStream.range(0, LABELS).mapToObj(i -> "LABEL_" + i).toList());
        }
        Base base = Base.load(model, hub, options);
        base.save(folder);
        return base.backbone().vocabSize();
    }
}
