package dev.graft.run.bench;

import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.run.model.ComputeSettings;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.RunListener;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Profiler;
import dev.graft.tensor.ops.Int8GradientProduct;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.bench.Recipe;
import dev.graft.train.bench.Timings;
import dev.graft.train.bench.TrainBenchmark;
import dev.graft.train.bench.Workload;
import dev.graft.train.data.Example;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A run of {@code graft bench train}: timed training steps on fixed rows. */
public record BenchTrainRun(
        String model,
        Path data,
        WorkloadTask task,
        BenchMethod method,
        Recipe recipe,
        Size size,
        long seed,
        BackwardSkipOptions skipOptions,
        ComputeSettings compute,
        @Nullable Boolean int8Gradients,
        boolean profile,
        RunListener listener) {

    /**
     * The size of a benchmark.
     *
     * @param batch rows in a step
     * @param steps steps that count
     * @param warmup steps before those
     */
    public record Size(int batch, int steps, int warmup) {
        public Size {
            require("--batch", batch, 1);
            require("--steps", steps, 1);
            require("--warmup", warmup, 0);
            if ((long) batch * ((long) steps + warmup) > 10_000_000) {
                throw new InputException("--batch " + batch + " for " + steps + " and " + warmup
                        + " steps are more than ten million rows; take fewer");
            }
        }

        private static void require(String option, int value, int least) {
            if (value < least) {
                throw new InputException(option + " is " + value + ", expected at least " + least);
            }
        }
    }

    /**
     * Runs the benchmark.
     *
     * @param startedAfter seconds from the start of the process to the start of the command
     * @throws InputException if the options contradict each other, or the rows don't fit the base
     */
    public Measurements measure(double startedAfter) {
        method.requireKnown();
        Economy economy = skipOptions.economy(size.warmup, size.steps);
        if (profile && skipOptions.isActive()) {
            throw new InputException("--profile tells where the time of one run goes; leave out "
                    + (skipOptions.dropBackward() == null ? "--auto-freeze" : "--drop-backward"));
        }
        long start = System.nanoTime();
        LoadedModel.useThreads(compute);
        Workload work = Workload.read(data, task.task());
        Base base = base(work.classes());
        work.requireFits(base);
        LoadedModel.roundGradients(base, rounding(base));
        Method made = method.on(base, listener::onNotice);
        Adapter adapter = Adapter.create(base, made, seed);
        int perPass = (work.examples().size() + size.batch - 1) / size.batch;
        TrainBenchmark benchmark = new TrainBenchmark(adapter, seed, economy, size.warmup + size.steps, perPass);
        TrainBenchmark whole =
                skipOptions.isActive() ? new TrainBenchmark(Adapter.create(base, made, seed), seed) : null;
        double loadSeconds = (System.nanoTime() - start) / 1e9;
        listener.onNotice(base.name() + " in " + LoadedModel.precision(base) + ", " + adapter.trainableLine());
        List<List<Example>> batches = recipe.batches(work.examples(), size.batch, size.warmup + size.steps);
        double[] firstStep = {0};
        long[] measured = {0};
        List<Timings.Step> without = new ArrayList<>();
        Timings timings;
        try (benchmark;
                whole) {
            timings = benchmark.run(batches, step -> {
                if (step.number() == 1) {
                    firstStep[0] = ProcessAge.seconds();
                }
                report(step);
                if (whole != null) {
                    without.add(whole.step(step.number(), batches.get(step.number() - 1)));
                }
                if (profile && step.number() == size.warmup) {
                    Profiler.start();
                    measured[0] = System.nanoTime();
                }
            });
        }
        ProfiledSteps profiled = profile ? new ProfiledSteps(Profiler.stop(), System.nanoTime() - measured[0]) : null;
        return new Measurements(
                this,
                timings.after(size.warmup),
                whole == null
                        ? null
                        : new BackwardSkipResult(
                                skipOptions, timings, new Timings(without), size.warmup, benchmark.frozen()),
                adapter.trainableCount(),
                startedAfter,
                loadSeconds,
                firstStep[0],
                LoadedModel.dtype(base),
                base.usesInt8Gradients(),
                LoadedModel.quantization(base),
                base.parameterBytes(),
                profiled);
    }

    private Base base(int classes) {
        Base.Options options = Base.Options.of(task.task())
                .withNumerics(compute.numerics())
                .withQuantization(compute.quantization())
                .withLabels(
                        IntStream.range(0, classes).mapToObj(i -> "LABEL_" + i).toList());
        try (RunListener.Fetch progress = listener.onFetch()) {
            return Base.load(model, new Hub(progress), options);
        }
    }

    /** The tuned recipe rounds where that is faster. */
    private @Nullable Boolean rounding(Base base) {
        boolean gains =
                recipe == Recipe.TUNED && base.numerics().equals(Numerics.BF16) && Int8GradientProduct.isFaster();
        return int8Gradients == null && gains ? Boolean.TRUE : int8Gradients;
    }

    private void report(Timings.Step step) {
        listener.onNotice(String.format(
                Locale.ROOT,
                "step %d/%d%s  loss %.4f  gradient %.3f  %d tokens  %.3fs",
                step.number(),
                size.warmup + size.steps,
                step.number() > size.warmup ? "" : " (warm-up)",
                step.loss(),
                step.gradientNorm(),
                step.tokens(),
                step.seconds()));
    }

    /**
     * The profiled operations of the steps that count.
     *
     * @param nanos nanoseconds from the start of the first step to the end of the last
     */
    public record ProfiledSteps(List<Profiler.Timing> timings, long nanos) {}

    /**
     * The measured times and parameters.
     *
     * @param timings the timings of the steps that count
     * @param skipResult the comparison with the same steps without skipping; null if nothing is skipped
     * @param trainable the number of trained parameters
     * @param startSeconds seconds from the start of the process to that of the command
     * @param loadSeconds seconds to load libtorch, the rows, the base and the adapter
     * @param firstStepSeconds seconds from the start of the process to the end of the first step
     * @param profile the profile; null unless requested
     */
    public record Measurements(
            BenchTrainRun run,
            Timings timings,
            @Nullable BackwardSkipResult skipResult,
            long trainable,
            double startSeconds,
            double loadSeconds,
            double firstStepSeconds,
            String dtype,
            boolean int8Gradients,
            String quantization,
            long baseBytes,
            @Nullable ProfiledSteps profile) {

        /** Returns the fields of the PEFT script's output, in its order, and further ones of Graft. */
        public String json() {
            Long peak = ProcessMemory.peakResident().value();
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("peer", "graft");
            json.put("method", run.method.name());
            json.put("recipe", run.recipe.toString());
            json.put("task", run.task.toString());
            json.put("tokens_per_s", rounded(timings.tokensPerSecond(), 1));
            json.put("step_s_median", rounded(timings.medianSeconds(), 4));
            json.put("steps", timings.steps().size());
            json.put("tokens", timings.tokens());
            json.put("trainable", trainable);
            if (peak == null) {
                json.putNull("peak_rss_mb");
            } else {
                json.put("peak_rss_mb", peak >> 20);
            }
            json.put("import_s", rounded(startSeconds, 2));
            json.put("load_s", rounded(loadSeconds, 2));
            json.put("loss_first", rounded(timings.first().loss(), 4));
            json.put("loss_last", rounded(timings.last().loss(), 4));
            json.put("threads", Natives.threads());
            json.put("first_step_s", rounded(firstStepSeconds, 2));
            json.put("dtype", dtype);
            json.put("int8_gradients", int8Gradients);
            json.put("quantization", quantization);
            json.put("base_mb", rounded(baseBytes / 1048576.0, 1));
            if (skipResult != null) {
                skipResult.write(json.putObject("saving"));
            }
            return Json.compact(json);
        }

        public String text() {
            Long peak = ProcessMemory.peakResident().value();
            String figures = String.format(
                    Locale.ROOT,
                    "%.1f tokens/s, median step %.4fs (%d steps, %d tokens, %s, threads: %d)%n"
                            + "peak memory %s MiB, first step after %.2fs, loss %.4f to %.4f",
                    timings.tokensPerSecond(),
                    timings.medianSeconds(),
                    timings.steps().size(),
                    timings.tokens(),
                    dtype,
                    Natives.threads(),
                    peak == null ? "unknown" : Long.toString(peak >> 20),
                    firstStepSeconds,
                    timings.first().loss(),
                    timings.last().loss());
            return skipResult == null ? figures : figures + System.lineSeparator() + skipResult.text();
        }

        private static double rounded(double value, int digits) {
            return BigDecimal.valueOf(value)
                    .setScale(digits, RoundingMode.HALF_EVEN)
                    .doubleValue();
        }
    }
}
