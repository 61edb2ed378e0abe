package dev.graft.cli.bench;

import dev.graft.cli.bench.Outcome.Side;
import dev.graft.cli.model.DownloadLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Graft and the peer in turns, each in a process of its own, one at a time, on the same base and rows.
 *
 * @param rounds how often each trains
 */
record Comparison(Program graft, Peer peer, Plan plan, PrintWriter err) {

    /** How much is measured. */
    record Plan(int rounds, int steps, int warmup, int threads) {
        /** Enough for figures that are reported. */
        static Plan full(int threads) {
            return new Plan(3, 12, 3, threads);
        }

        /** Enough to see that everything runs. */
        static Plan quick(int threads) {
            return new Plan(1, 3, 1, threads);
        }

        /** With other rounds and steps, each where it is given. */
        Plan with(@Nullable Integer rounds, @Nullable Integer steps) {
            return new Plan(rounds == null ? this.rounds : rounds, steps == null ? this.steps : steps, warmup, threads);
        }
    }

    List<Outcome> run(List<Scenario> scenarios) {
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
            throw new UncheckedIOException("cannot use the folder for temporary files: " + e.getMessage(), e);
        }
    }

    private Outcome run(Scenario scenario, Path folder) {
        Path model = folder.resolve("model");
        Path rows = folder.resolve("rows.jsonl");
        int vocabulary;
        try (DownloadLine progress = new DownloadLine(err, Terminal.isLive())) {
            vocabulary = scenario.save(model, new Hub(progress));
        }
        peer.writeWorkload(scenario.goal(), vocabulary, rows);
        Outcome outcome = Outcome.of(scenario);
        for (int round = 1; round <= plan.rounds; round++) {
            for (Side side : Side.values()) {
                Program.Run whole = train(side, arguments(scenario, side, model, rows, plan.steps, plan.warmup));
                Program.Run single = train(side, arguments(scenario, side, model, rows, 1, 0));
                Outcome.Round done =
                        new Outcome.Round(Json.parse(side.title() + "'s last line", whole.last()), single.seconds());
                outcome.of(side).add(done);
                err.printf(
                        Locale.ROOT,
                        "%s, round %d/%d: %s %.1f tokens/s%n",
                        scenario.title(),
                        round,
                        plan.rounds,
                        side.title(),
                        Outcome.Figure.TOKENS.of(done));
                err.flush();
            }
        }
        return outcome;
    }

    private Program.Run train(Side side, List<String> arguments) {
        if (side != Side.GRAFT) {
            return peer.train(arguments);
        }
        List<String> command = new ArrayList<>(List.of("bench", "train", "--json"));
        command.addAll(arguments);
        return graft.run(command);
    }

    /** The same for both sides, which have the same options. */
    private List<String> arguments(Scenario scenario, Side side, Path model, Path rows, int steps, int warmup) {
        String recipe = side == Side.DEFAULT ? "default" : "tuned";
        List<String> arguments = new ArrayList<>(scenario.options());
        arguments.addAll(List.of(
                "--model=" + model,
                "--data=" + rows,
                "--task=" + scenario.goal(),
                "--recipe=" + recipe,
                "--batch=" + scenario.batch(),
                "--steps=" + steps,
                "--warmup=" + warmup,
                "--threads=" + plan.threads));
        return arguments;
    }
}
