package dev.graft.cli.compare;

import dev.graft.cli.Interruption;
import dev.graft.cli.Version;
import dev.graft.cli.bench.Program;
import dev.graft.cli.config.CompareConfig;
import dev.graft.cli.config.RunConfig;
import dev.graft.eval.compare.ComparePage;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Ledger;
import dev.graft.eval.compare.Search;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.report.Html;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
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
            Comparison comparison = comparison();
            comparison.run(new TrialLines(err), Interruption::requested);
            show(comparison);
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
            comparison().run(new Comparison.Watcher() {}, Interruption::requested);
        } catch (CancellationException interrupted) {
            return 130;
        }
        return 0;
    }

    /** Measures what each method costs that isn't measured yet. */
    int costs() {
        Comparison comparison = comparison();
        List<String> missing = comparison.unmeasured();
        for (String method : missing) {
            if (Interruption.requested()) {
                err.println("Interrupted; the same command goes on from here");
                return 130;
            }
            err.println("measuring " + method + " (" + (missing.indexOf(method) + 1) + " of " + missing.size() + ")");
            List<String> arguments = arguments();
            arguments.addAll(List.of("--measure", method));
            try {
                Program.graft().run(arguments);
            } catch (IllegalStateException failed) {
                // The message starts with the whole command.
                err.println("  no figures: "
                        + String.valueOf(failed.getMessage()).replaceFirst("(?s)^.* ended with \\d+: ", ""));
            }
        }
        show(comparison);
        return 0;
    }

    /** Measures what a method costs, here. */
    int measure(String method) {
        comparison().measure(method);
        return 0;
    }

    /** Writes what was measured to the methods' pages. */
    int writePages(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException("--write-pages is " + folder + ", which is no folder");
        }
        List<Standing> standings = comparison().standings();
        String model = config.run().apply("lora").base().model();
        MethodPage page = MethodPage.of(model, command(), standings);
        standings.forEach(standing -> page.write(standing, folder));
        return 0;
    }

    private void show(Comparison comparison) {
        List<Standing> standings = comparison.standings();
        StandingsTable table = new StandingsTable(standings);
        ComparePage page = new ComparePage(comparison.experiment(), standings, Workbench.FROZEN, command());
        AtomicWrite.text(folder().resolve("report.html"), Html.render(page.report()));
        AtomicWrite.text(folder().resolve("standings.json"), Json.pretty(table.json()) + "\n");
        out.print(json ? Json.pretty(table.json()) + "\n" : "\n" + table.text());
        err.println("report   " + folder().resolve("report.html"));
    }

    /** What measures the same, wherever it is written to. */
    private String command() {
        return "./graft compare "
                + words.stream()
                        .filter(word -> !word.startsWith("output_dir="))
                        .map(word -> word.replaceFirst("^.*/(.*)\\.yaml$", "$1"))
                        .collect(Collectors.joining(" "));
    }

    private Path folder() {
        return Path.of(config.run().apply("lora").output().outputDir());
    }

    private Comparison comparison() {
        RunConfig any = config.run().apply("lora");
        Workbench bench = Workbench.of(config, Version.current(), err);
        List<Long> seeds = LongStream.range(0, config.own().seeds())
                .map(i -> any.base().seed() + i)
                .boxed()
                .toList();
        Search search = new Search(config.own().rates(), seeds);
        return new Comparison(bench.experiment(), bench.contenders(), search, new Ledger(folder()));
    }

    private List<String> arguments() {
        List<String> arguments = new ArrayList<>(List.of("compare"));
        arguments.addAll(words);
        return arguments;
    }

    private List<Process> helpers() {
        List<Process> helpers = new ArrayList<>();
        for (int i = 1; i < jobs; i++) {
            List<String> command = new ArrayList<>(Program.graft().start());
            command.addAll(arguments());
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
