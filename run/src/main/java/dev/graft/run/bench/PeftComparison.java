package dev.graft.run.bench;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.run.bench.ScenarioResult.Side;
import dev.graft.run.progress.RunListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Times Graft and Hugging Face PEFT alternately on the same base and rows, each in a process of its own. */
public record PeftComparison(BenchmarkProgram graft, PeftRunner peftRunner, Plan plan, RunListener listener) {

    /** The number of rounds, steps and threads of a measurement. */
    public record Plan(int rounds, int steps, int warmup, int threads) {
        /** Returns the plan for reported figures. */
        public static Plan full(int threads) {
            return new Plan(3, 12, 3, threads);
        }

        /** Returns a short plan that only shows that everything runs. */
        public static Plan quick(int threads) {
            return new Plan(1, 3, 1, threads);
        }

        /** Returns a copy with other rounds and steps; null keeps a value. */
        public Plan with(@Nullable Integer rounds, @Nullable Integer steps) {
            return new Plan(rounds == null ? this.rounds : rounds, steps == null ? this.steps : steps, warmup, threads);
        }
    }

    public List<ScenarioResult> run(List<Scenario> scenarios) {
        try {
            Path folder = Files.createTempDirectory("graft-bench");
            try {
                return scenarios.stream()
                        .map(scenario -> run(scenario, folder.resolve("" + scenarios.indexOf(scenario))))
                        .toList();
            } finally {
                AtomicWrite.delete(folder);
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot use the folder for temporary files", e);
        }
    }

    private ScenarioResult run(Scenario scenario, Path folder) {
        Path model = folder.resolve("model");
        Path rows = folder.resolve("rows.jsonl");
        int vocabulary;
        try (RunListener.Fetch progress = listener.onFetch()) {
            vocabulary = scenario.save(model, new Hub(progress));
        }
        peftRunner.writeWorkload(scenario.task(), vocabulary, rows);
        ScenarioResult scenarioResult = ScenarioResult.of(scenario);
        for (int round = 1; round <= plan.rounds; round++) {
            for (Side side : Side.values()) {
                BenchmarkProgram.Run whole =
                        train(side, arguments(scenario, side, model, rows, plan.steps, plan.warmup));
                BenchmarkProgram.Run single = train(side, arguments(scenario, side, model, rows, 1, 0));
                ScenarioResult.Round done = new ScenarioResult.Round(
                        Json.parse(side.title() + "'s last line", whole.last()), single.seconds());
                scenarioResult.of(side).add(done);
                listener.onNotice(String.format(
                        Locale.ROOT,
                        "%s, round %d/%d: %s %.1f tokens/s",
                        scenario.title(),
                        round,
                        plan.rounds,
                        side.title(),
                        ScenarioResult.Measure.TOKENS.of(done)));
            }
        }
        return scenarioResult;
    }

    private BenchmarkProgram.Run train(Side side, List<String> arguments) {
        if (side != Side.GRAFT) {
            return peftRunner.train(arguments);
        }
        List<String> command = new ArrayList<>(List.of("bench", "train", "--json"));
        command.addAll(arguments);
        return graft.run(command);
    }

    /** The arguments of both sides, which have the same options. */
    private List<String> arguments(Scenario scenario, Side side, Path model, Path rows, int steps, int warmup) {
        String recipe = side == Side.DEFAULT ? "default" : "tuned";
        List<String> arguments = new ArrayList<>(scenario.options());
        arguments.addAll(List.of(
                "--model=" + model,
                "--data=" + rows,
                "--task=" + scenario.task(),
                "--recipe=" + recipe,
                "--batch=" + scenario.batch(),
                "--steps=" + steps,
                "--warmup=" + warmup,
                "--threads=" + plan.threads));
        return arguments;
    }
}
