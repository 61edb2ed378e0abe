package dev.graft.cli.compare;

import dev.graft.cli.Interruption;
import dev.graft.cli.Version;
import dev.graft.cli.bench.Program;
import dev.graft.cli.config.CompareConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Ledger;
import dev.graft.eval.compare.Search;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.LongStream;

/**
 * A run of {@code graft compare}.
 *
 * @param words of the command line, for the processes that help
 */
record CompareRun(CompareConfig config, List<String> words, int jobs, boolean json, PrintWriter out, PrintWriter err) {
    int run() {
        List<Process> helpers = helpers();
        try {
            Comparison comparison = compare(new TrialLines(err));
            StandingsTable table = new StandingsTable(comparison.standings());
            AtomicWrite.text(folder().resolve("standings.json"), Json.pretty(table.json()) + "\n");
            out.print(json ? Json.pretty(table.json()) + "\n" : "\n" + table.text());
        } catch (CancellationException interrupted) {
            err.println("Interrupted; the same command goes on from here");
            return 130;
        } finally {
            helpers.forEach(Process::destroy);
        }
        return 0;
    }

    /** Takes trials of a comparison that another process shows. */
    int help() {
        try {
            compare(new Comparison.Watcher() {});
        } catch (CancellationException interrupted) {
            return 130;
        }
        return 0;
    }

    private Path folder() {
        return Path.of(config.run().apply("lora").output().outputDir());
    }

    private Comparison compare(Comparison.Watcher watcher) {
        RunConfig any = config.run().apply("lora");
        Workbench bench = Workbench.of(config, Version.current(), err);
        List<Long> seeds = LongStream.range(0, config.own().seeds())
                .map(i -> any.base().seed() + i)
                .boxed()
                .toList();
        Comparison comparison = new Comparison(
                bench.experiment(), bench.contenders(), new Search(config.own().rates(), seeds), new Ledger(folder()));
        comparison.run(watcher, Interruption::requested);
        return comparison;
    }

    private List<Process> helpers() {
        List<Process> helpers = new ArrayList<>();
        for (int i = 1; i < jobs; i++) {
            List<String> command = new ArrayList<>(Program.graft().start());
            command.add("compare");
            command.addAll(words);
            command.add("--worker");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectError(ProcessBuilder.Redirect.INHERIT);
            builder.environment().putIfAbsent("OMP_NUM_THREADS", "1");
            try {
                helpers.add(builder.start());
            } catch (IOException e) {
                throw new UncheckedIOException("cannot start a process to help: " + e.getMessage(), e);
            }
        }
        return helpers;
    }
}
