package dev.graft.eval.cost;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.peft.methods.prompt.PromptTuning;
import dev.graft.tensor.InferenceScope;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * Measures the latency of a single row by its length: for the base alone, for unmerged and merged LoRA, and for soft prompts of several
 * lengths. For a causal model this is the time to first token. A prompt lengthens every row, so its relative cost is largest for short
 * rows.
 *
 * <pre>{@code
 * List<LatencySweep.Point> points = new LatencySweep(base, 7).run(List.of(16, 64, 256), List.of(10, 50), point -> {});
 * }</pre>
 *
 * @param repeats the number of timed passes, after two untimed ones
 */
public record LatencySweep(Base base, int repeats) {
    private static final int WARM_UP = 2;

    /**
     * A measurement.
     *
     * @param what the measured setup, such as {@code prompt of 50}
     * @param tokens the length of the row
     * @param p50 the median in seconds
     * @param p95 the 95th percentile in seconds
     * @param flops floating-point operations of the pass, by {@link #flops}
     */
    public record Point(String what, int tokens, double p50, double p95, double flops) {}

    /**
     * Runs all measurements.
     *
     * @param lengths the lengths of rows, in tokens
     * @param prompts the lengths of soft prompts, in virtual tokens
     * @param each called with each measurement
     * @throws InputException if a row or a prompt and a row are longer than the base accepts
     */
    public List<Point> run(List<Integer> lengths, List<Integer> prompts, Consumer<Point> each) {
        int longest = lengths.stream().mapToInt(length -> length).max().orElse(0);
        int prompt = prompts.stream().mapToInt(length -> length).max().orElse(0);
        if (longest + prompt > base.backbone().maxPositions()) {
            throw new InputException("a row of " + longest + " tokens after a prompt of " + prompt
                    + " is longer than the " + base.backbone().maxPositions() + " positions of " + base.name());
        }
        Adapter lora = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 1);
        Base merged = Merge.merge(lora);
        List<Point> points = new ArrayList<>();
        for (int length : lengths) {
            double plain = flops(base, length);
            double beside = plain + 2.0 * length * lora.trainableCount();
            points.add(time("base", base, Hooks.NONE, length, plain));
            points.add(time("lora beside it", base, Selection.of(lora).hooks(), length, beside));
            points.add(time("lora merged", merged, Hooks.NONE, length, plain));
            for (int rows : prompts) {
                Adapter tuned =
                        Adapter.create(base, new PromptTuning(rows, PromptTuning.Init.SAMPLE_VOCAB, null, null), 1);
                points.add(time(
                        "prompt of " + rows, base, Selection.of(tuned).hooks(), length, flops(base, length + rows)));
            }
            points.subList(points.size() - 3 - prompts.size(), points.size()).forEach(each);
        }
        return points;
    }

    private Point time(String what, Base on, Hooks hooks, int length, double flops) {
        int[] ids =
                new Random(length).ints(length, 1, on.backbone().vocabSize()).toArray();
        double[] seconds = new double[repeats];
        for (int i = -WARM_UP; i < repeats; i++) {
            long start = System.nanoTime();
            pass(on, hooks, ids);
            if (i >= 0) {
                seconds[i] = (System.nanoTime() - start) / 1e9;
            }
        }
        Arrays.sort(seconds);
        int most = Math.max(0, (int) Math.ceil(0.95 * repeats) - 1);
        return new Point(what, length, seconds[repeats / 2], seconds[most], flops);
    }

    private static void pass(Base on, Hooks hooks, int[] ids) {
        if (on.task() == Task.CAUSAL_LM) {
            new Generator(on, null)
                    .generate(List.of(ids), GenerateOptions.DEFAULT.withMaxNewTokens(1), hooks, TextListener.SILENT);
            return;
        }
        try (InferenceScope mode = new InferenceScope();
                Scope scope = new Scope()) {
            long[][] row = {Arrays.stream(ids).asLongStream().toArray()};
            on.forward(on.backbone().dummyInputs(row), ForwardPass.inference(hooks));
        }
    }

    /**
     * Returns the floating-point operations of a row in a base, without pooler and head (Kaplan et al., 2020): two for each weight of a
     * linear layer and token, and in each layer {@code 4 · tokens² · width} with the width of the attention's output.
     */
    public static double flops(Base base, int tokens) {
        double sum = 0;
        for (Site site : base.backbone().sites()) {
            if (site instanceof Linear linear && linear.role() != Role.POOLER) {
                sum += 2.0 * tokens * linear.in() * linear.out();
                if (linear.role() == Role.OUTPUT) {
                    sum += 4.0 * tokens * tokens * linear.in();
                }
            }
        }
        return sum;
    }
}
