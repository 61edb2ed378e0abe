package dev.graft.cli.bench;

import dev.graft.cli.bench.BenchTrainCommand.Goal;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.DownloadLine;
import dev.graft.cli.model.Loading;
import dev.graft.cli.terminal.Terminal;
import dev.graft.cli.train.ProfileView;
import dev.graft.eval.cost.ProcessMemory;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.tensor.GradientProduct;
import dev.graft.tensor.Natives;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Profile;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.bench.Recipe;
import dev.graft.train.bench.Timings;
import dev.graft.train.bench.TrainBenchmark;
import dev.graft.train.bench.Workload;
import dev.graft.train.data.Example;
import java.io.PrintWriter;
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

/** One run of {@code graft bench train}. */
record BenchTrainRun(
        String model,
        Path data,
        Goal goal,
        BenchMethod method,
        Recipe recipe,
        Size size,
        long seed,
        Sparing sparing,
        ComputeOptions compute,
        @Nullable Boolean int8Gradients,
        boolean profile,
        PrintWriter err) {

    /** Rows of a step, steps that count, and steps before those. */
    record Size(int batch, int steps, int warmup) {
        Size {
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

    /** @param startedAfter seconds from the start of the process to the start of the command */
    Figures measure(double startedAfter) {
        method.requireKnown();
        Economy economy = sparing.economy(size);
        if (profile && sparing.spares()) {
            throw new InputException("--profile tells where the time of one run goes; leave out "
                    + (sparing.dropBackward() == null ? "--auto-freeze" : "--drop-backward"));
        }
        long start = System.nanoTime();
        Loading.useThreads(compute);
        Workload work = Workload.read(data, goal.task());
        Base base = base(work.classes());
        work.requireFits(base);
        Loading.roundGradients(base, rounding(base));
        Method made = method.on(base, err::println);
        Adapter adapter = Adapter.create(base, made, seed);
        int perPass = (work.examples().size() + size.batch - 1) / size.batch;
        TrainBenchmark benchmark = new TrainBenchmark(adapter, seed, economy, size.warmup + size.steps, perPass);
        TrainBenchmark whole = sparing.spares() ? new TrainBenchmark(Adapter.create(base, made, seed), seed) : null;
        double loadSeconds = (System.nanoTime() - start) / 1e9;
        err.println(base.name() + " in " + Loading.numbers(base) + ", " + adapter.trainableLine());
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
                    Profile.start();
                    measured[0] = System.nanoTime();
                }
            });
        }
        if (profile) {
            err.print(ProfileView.text(Profile.stop(), System.nanoTime() - measured[0], size.steps));
        }
        return new Figures(
                this,
                timings.after(size.warmup),
                whole == null
                        ? null
                        : new Saving(sparing, timings, new Timings(without), size.warmup, benchmark.frozen()),
                adapter.trainableCount(),
                startedAfter,
                loadSeconds,
                firstStep[0],
                Loading.dtype(base),
                base.roundsGradients(),
                Loading.quantization(base),
                base.parameterBytes());
    }

    private Base base(int classes) {
        Base.Options options = Base.Options.of(goal.task())
                .withNumerics(Numerics.of(compute.dtype().name()))
                .withQuantization(compute.quantization())
                .withLabels(
                        IntStream.range(0, classes).mapToObj(i -> "LABEL_" + i).toList());
        try (DownloadLine progress = new DownloadLine(err, Terminal.isLive())) {
            return Base.load(model, new Hub(progress), options);
        }
    }

    /** The tuned recipe rounds where that is faster. */
    private @Nullable Boolean rounding(Base base) {
        boolean gains = recipe == Recipe.TUNED && base.numerics().equals(Numerics.BF16) && GradientProduct.isFaster();
        return int8Gradients == null && gains ? Boolean.TRUE : int8Gradients;
    }

    private void report(Timings.Step step) {
        err.printf(
                Locale.ROOT,
                "step %d/%d%s  loss %.4f  gradient %.3f  %d tokens  %.3fs%n",
                step.number(),
                size.warmup + size.steps,
                step.number() > size.warmup ? "" : " (warm-up)",
                step.loss(),
                step.gradientNorm(),
                step.tokens(),
                step.seconds());
        err.flush();
    }

    /**
     * What it took.
     *
     * @param timings of the steps that count
     * @param saving beside the same steps without what is left out, where something is
     * @param startSeconds from the start of the process to that of the command
     * @param loadSeconds for libtorch, the rows, the base and the adapter
     * @param firstStepSeconds from the start of the process to the end of the first step
     */
    record Figures(
            BenchTrainRun run,
            Timings timings,
            @Nullable Saving saving,
            long trainable,
            double startSeconds,
            double loadSeconds,
            double firstStepSeconds,
            String dtype,
            boolean int8Gradients,
            String quantization,
            long baseBytes) {

        /** The fields of the peer's script, in its order, and what else is of interest here. */
        String json() {
            Long peak = ProcessMemory.peakResident().value();
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("peer", "graft");
            json.put("method", run.method.name());
            json.put("recipe", run.recipe.toString());
            json.put("task", run.goal.toString());
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
            if (saving != null) {
                saving.write(json.putObject("saving"));
            }
            return Json.compact(json);
        }

        String text() {
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
            return saving == null ? figures : figures + System.lineSeparator() + saving.text();
        }

        private static double rounded(double value, int digits) {
            return BigDecimal.valueOf(value)
                    .setScale(digits, RoundingMode.HALF_EVEN)
                    .doubleValue();
        }
    }
}
