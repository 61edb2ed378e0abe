package dev.graft.cli.bench;

import dev.graft.cli.bench.BenchTrainCommand.Goal;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A base, what it is trained for and how.
 *
 * @param method as the peer's script calls it
 * @param model where the base comes from
 * @param stored the type that the base was published in: what the peer's default computes in
 */
record Scenario(String title, String model, Goal goal, String method, int batch, Numerics stored) {
    /** As many as {@code make_workload.py} draws from. */
    private static final int LABELS = 8;

    /** What both sides can train, as Graft calls it. */
    static final List<String> METHODS = List.of("lora", "dora", "ia3", "prompt-tuning", "prefix-tuning");

    /** As the peer's script calls a method of either name; null where it has none. */
    static @Nullable String peerName(String method) {
        String name = method.replaceFirst("^(prompt|prefix)-tuning$", "$1");
        return METHODS.contains(name) || name.equals("prompt") || name.equals("prefix") ? name : null;
    }

    /** Of a method: both bases, but the one that continues alone for prompts and prefixes, which the peer has for no classifier like MiniLM. */
    static List<Scenario> of(String method) {
        String named = method.equals("lora") ? "" : ", " + method;
        Scenario causal =
                new Scenario("SmolLM2-135M, causal, batch 4" + named, "smollm2", Goal.CAUSAL, method, 4, Numerics.BF16);
        Scenario classify = new Scenario(
                "MiniLM-L6, classify, batch 32" + named,
                "minilm-safetensors",
                Goal.CLASSIFY,
                method,
                32,
                Numerics.FP32);
        return method.startsWith("pr") ? List.of(causal) : List.of(causal, classify);
    }

    /** Whether each side's start is its own draw, far from the base: then their first losses say nothing of each other. */
    boolean startsAtRandom() {
        return method.startsWith("prefix");
    }

    /** What the method's rank and targets are told with; the others have the peer's own. */
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
        Base.Options options = Base.Options.of(goal.task()).withNumerics(stored);
        if (goal == Goal.CLASSIFY) {
            options = options.withLabels(
                    IntStream.range(0, LABELS).mapToObj(i -> "LABEL_" + i).toList());
        }
        Base base = Base.load(model, hub, options);
        base.save(folder);
        return base.backbone().vocabSize();
    }
}
