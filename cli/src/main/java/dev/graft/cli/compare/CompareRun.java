package dev.graft.cli.compare;

import dev.graft.cli.Interruption;
import dev.graft.cli.Version;
import dev.graft.cli.bench.Program;
import dev.graft.cli.config.CompareConfig;
import dev.graft.eval.compare.ComparePage;
import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.Ledger;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.report.Html;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A run of {@code graft compare}.
 *
 * @param words of the command line, for the processes that help
 */
record CompareRun(CompareConfig config, List<String> words, int jobs, boolean json, PrintWriter out, PrintWriter err) {
    /** More trials than these run in processes that are replaced when they have grown. */
    private static final int FEW = 30;

    /** How a process that helps ends when another should go on. */
    private static final int TIRED = 75;

    int run() {
        boolean few = jobs == 1 && trials() <= FEW;
        try {
            if (!few && !workers()) {
                return 1;
            }
            Comparison comparison = comparison(few);
            comparison.run(new TrialLines(err), Interruption::requested);
            show(comparison);
        } catch (CancellationException interrupted) {
            err.println("Interrupted; the same command goes on from here");
            return 130;
        }
        return 0;
    }

    /** About how many trials the comparison has. */
    private int trials() {
        List<String> methods = config.methods();
        int each = config.own().rates().size() + config.own().seeds() - 1;
        return methods == null ? Integer.MAX_VALUE : (methods.size() + 1) * each;
    }

    /**
     * Takes trials of a comparison that another process shows.
     *
     * @param tells whether to say what is loaded and what is done, which one of the helpers does
     */
    int help(boolean tells) {
        try {
            Comparison comparison = comparison(tells);
            // Its clock is of the trials alone.
            TrialLines lines = new TrialLines(err, jobs, tells);
            return comparison.run(lines, Interruption::requested, new Tiredness()) ? 0 : TIRED;
        } catch (CancellationException interrupted) {
            return 130;
        }
    }

    /**
     * Lets other processes run the trials, each going on until it has grown too large.
     *
     * @return whether none failed
     */
    private boolean workers() {
        List<Process> working = new ArrayList<>();
        int started = 0;
        try {
            while (started < jobs) {
                working.add(worker(++started));
            }
            while (!working.isEmpty()) {
                Process done = ended(working);
                working.remove(done);
                int code = done.exitValue();
                if (code == TIRED) {
                    working.add(worker(++started));
                } else if (code != 0) {
                    err.println(
                            "a process that ran trials ended with " + code + "; the same command goes on from here");
                    return false;
                }
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted");
        } finally {
            working.forEach(Process::destroy);
        }
    }

    /** The first of some processes that ends. */
    private static Process ended(List<Process> working) throws InterruptedException {
        while (true) {
            for (Process process : working) {
                if (process.waitFor(100, TimeUnit.MILLISECONDS)) {
                    return process;
                }
            }
            if (Interruption.requested()) {
                throw new CancellationException("interrupted while other processes are at work");
            }
        }
    }

    /** Measures what each method costs that isn't measured yet. */
    int costs() {
        Comparison comparison = comparison(true);
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
        comparison(true).measure(method);
        return 0;
    }

    /** Writes what was measured to the methods' pages. */
    int writePages(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException("--write-pages is " + folder + ", which is no folder");
        }
        List<Standing> standings = comparison(true).standings();
        MethodPage page = MethodPage.of(row(), command(), standings);
        if (page.isWithoutLora(standings)) {
            throw new InputException("--write-pages writes costs as times LoRA's, which weren't measured: run"
                    + " --costs with lora among the methods");
        }
        long written = standings.stream()
                .filter(standing -> page.write(standing, folder))
                .count();
        if (written == 0) {
            throw new InputException("--write-pages finds nothing that was measured in " + folder()
                    + " and has a page in " + folder + ": run the comparison without it first");
        }
        err.println("wrote    " + written + (written == 1 ? " row" : " rows") + " of methods into " + folder);
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

    /** What a page's row is called: the base, and how long it was trained where that isn't the recipe's length. */
    private String row() {
        String base = config.run().apply("lora").base().model();
        return words.stream()
                .filter(word -> word.startsWith("max_steps="))
                .map(word -> base + ", " + word.substring(word.indexOf('=') + 1) + " steps")
                .findFirst()
                .orElse(base);
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

    /** @param tells whether to say what is loaded */
    private Comparison comparison(boolean tells) {
        PrintWriter log = tells ? err : new PrintWriter(Writer.nullWriter());
        Workbench bench = Workbench.of(config, Map.of(), Version.current(), log);
        return new Comparison(bench.experiment(), bench.contenders(), bench.search(config), new Ledger(folder()));
    }

    private List<String> arguments() {
        List<String> arguments = new ArrayList<>(List.of("compare"));
        arguments.addAll(words);
        return arguments;
    }

    private Process worker(int number) {
        List<String> command = new ArrayList<>(Program.graft().start());
        command.addAll(arguments());
        command.addAll(List.of("--jobs", Integer.toString(jobs), "--worker", Integer.toString(number)));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        if (jobs > 1) {
            builder.environment().putIfAbsent("OMP_NUM_THREADS", "1");
        }
        try {
            return builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot start a process to run trials: " + e.getMessage(), e);
        }
    }
}
