package dev.graft.eval.cost;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.Task;
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
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.peft.methods.PromptTuning;
import dev.graft.tensor.Inference;
import dev.graft.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;

/**
 * How long one row takes as rows and prompts grow: the base alone, LoRA beside it and merged into it, and prompts of several lengths. For
 * a causal model that is the time until the first token. A prompt lengthens every row, so it loses where rows are short.
 *
 * <pre>{@code
 * List<LatencySweep.Point> points = new LatencySweep(base, 7).run(List.of(16, 64, 256), List.of(10, 50), point -> {});
 * }</pre>
 *
 * @param repeats passes that are timed, after two that aren't
 */
public record LatencySweep(Base base, int repeats) {
    private static final int WARM_UP = 2;

    /**
     * A measurement.
     *
     * @param what was run, such as {@code prompt of 50}
     * @param tokens of the row
     * @param p50 seconds that half of the passes don't exceed
     * @param p95 seconds that 95 of 100 passes don't exceed
     * @param flops of the pass by its formula
     */
    public record Point(String what, int tokens, double p50, double p95, double flops) {}

    /**
     * Times all of it.
     *
     * @param lengths of rows, in tokens
     * @param prompts lengths of prompts, in rows before the text
     * @param each is told each measurement
     * @throws InputException if a row or a prompt and a row are longer than the base takes
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
                        Adapter.create(base, new PromptTuning(rows, PromptTuning.Start.SAMPLE_VOCAB, null, null), 1);
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
        try (Inference mode = new Inference();
                Scope scope = new Scope()) {
            long[][] row = {Arrays.stream(ids).asLongStream().toArray()};
            on.hidden(on.backbone().trial(row), Pass.inference(hooks));
        }
    }

    /**
     * Floating-point operations of a row in a base, without pooler and head: two for each weight of a linear layer and token, and in each layer
     * four for each pair of tokens and number of what attention gives (Kaplan et al., 2020).
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
