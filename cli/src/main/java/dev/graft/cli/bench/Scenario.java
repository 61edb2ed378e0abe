package dev.graft.cli.bench;

import dev.graft.cli.bench.BenchTrainCommand.Goal;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.tensor.Numerics;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A base and what it is trained for.
 *
 * @param model where the base comes from
 * @param stored the type that the base was published in: what the peer's default computes in
 */
record Scenario(String title, String model, Goal goal, int batch, Numerics stored) {
    /** As many as {@code make_workload.py} draws from. */
    private static final int LABELS = 8;

    static final List<Scenario> ALL = List.of(
            new Scenario("SmolLM2-135M, causal, batch 4", "smollm2", Goal.CAUSAL, 4, Numerics.BF16),
            new Scenario("MiniLM-L6, classify, batch 32", "minilm-safetensors", Goal.CLASSIFY, 32, Numerics.FP32));

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
