package dev.graft.run.compare;

import dev.graft.eval.compare.Comparison;
import dev.graft.eval.compare.ComparisonPage;
import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.compare.TrialStore;
import dev.graft.eval.report.Html;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.run.bench.BenchmarkProgram;
import dev.graft.run.bench.FailedProgramException;
import dev.graft.run.config.CompareConfig;
import dev.graft.run.progress.RunListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A run of {@code graft compare}.
 *
 * @param words the words of the command line, for helper processes
 * @param jobs the number of processes that run trials in parallel
 * @param version the version of Graft
 * @param program the program that starts {@code graft} in a new process
 */
public record CompareRun(
        CompareConfig config,
        List<String> words,
        int jobs,
        String version,
        BenchmarkProgram program,
        RunListener listener) {
    /** The exit code of a helper process that has grown and asks to be replaced by a new one. */
    public static final int GROWN = 75;

    /** More trials than these run in processes that are replaced when they have grown. */
    private static final int FEW = 30;

    /**
     * Runs the missing trials and writes the report.
     *
     * @return the standings; null if a process that ran trials has failed
     * @throws CancellationException if the listener stops it
     */
    public @Nullable Standings run() {
        boolean few = jobs == 1 && trials() <= FEW;
        if (!few && !workers()) {
            return null;
        }
        Comparison comparison = comparison(few);
        comparison.run(new TrialProgress(listener), listener::isStopRequested);
        return report(comparison);
    }

    /** About how many trials the comparison has. */
    private int trials() {
        List<String> methods = config.methods();
        int each = config.own().rates().size() + config.own().seeds() - 1;
        return methods == null ? Integer.MAX_VALUE : (methods.size() + 1) * each;
    }

    /**
     * Runs trials in a helper process.
     *
     * @param tells true if this helper reports loading and progress; only one does
     * @return false if a new process should continue
     * @throws CancellationException if the listener stops it
     */
    public boolean help(boolean tells) {
        Comparison comparison = comparison(tells);
        // Its clock is of the trials alone.
        TrialProgress lines = new TrialProgress(listener, jobs, tells);
        return comparison.run(lines, listener::isStopRequested, new MemoryGrowthLimit());
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
                if (code == GROWN) {
                    working.add(worker(++started));
                } else if (code != 0) {
                    listener.onNotice(
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
    private Process ended(List<Process> working) throws InterruptedException {
        while (true) {
            for (Process process : working) {
                if (process.waitFor(100, TimeUnit.MILLISECONDS)) {
                    return process;
                }
            }
            if (listener.isStopRequested()) {
                throw new CancellationException("interrupted while other processes are at work");
            }
        }
    }

    /**
     * Measures the missing costs of methods, each in a process of its own, and writes the report.
     *
     * @throws CancellationException if the listener stops it
     */
    public Standings costs() {
        Comparison comparison = comparison(true);
        List<String> missing = comparison.unmeasured();
        for (String method : missing) {
            if (listener.isStopRequested()) {
                throw new CancellationException("interrupted before " + method);
            }
            listener.onNotice(
                    "measuring " + method + " (" + (missing.indexOf(method) + 1) + " of " + missing.size() + ")");
            List<String> arguments = arguments();
            arguments.addAll(List.of("--measure", method));
            try {
                program.run(arguments);
            } catch (FailedProgramException failed) {
                listener.onNotice("  no figures: " + String.join(" | ", failed.lines()));
            }
        }
        return report(comparison);
    }

    /** Measures the costs of a method in this process. */
    public void measure(String method) {
        comparison(true).measure(method);
    }

    /**
     * Writes the measurements to the methods' pages.
     *
     * @param pages the folder of the pages
     * @return the number of rows written
     * @throws InputException if there is no such folder, or LoRA's costs are needed and weren't measured
     */
    public long writePages(Path pages) {
        if (!Files.isDirectory(pages)) {
            throw new InputException("--write-pages is " + pages + ", which is no folder");
        }
        List<MethodResult> results = comparison(true).results();
        MethodPage page = MethodPage.of(row(), command(), results);
        if (page.isWithoutLora(results)) {
            throw new InputException("--write-pages writes costs as times LoRA's, which weren't measured: run"
                    + " --costs with lora among the methods");
        }
        long written =
                results.stream().filter(result -> page.write(result, pages)).count();
        if (written == 0) {
            throw new InputException("--write-pages finds nothing that was measured in " + folder()
                    + " and has a page in " + pages + ": run the comparison without it first");
        }
        return written;
    }

    private Standings report(Comparison comparison) {
        Standings standings = new Standings(comparison.results());
        ComparisonPage page =
                new ComparisonPage(comparison.experiment(), standings.results(), ExperimentSetup.FROZEN, command());
        AtomicWrite.text(reportFile(), Html.render(page.report()));
        AtomicWrite.text(folder().resolve("standings.json"), standings.json());
        return standings;
    }

    /** Returns the page that the report is written to. */
    public Path reportFile() {
        return folder().resolve("report.html");
    }

    /** The name of a page's row: the base, and the length of training where it isn't the recipe's. */
    private String row() {
        String base = config.run().apply("lora").base().model();
        return words.stream()
                .filter(word -> word.startsWith("max_steps="))
                .map(word -> base + ", " + word.substring(word.indexOf('=') + 1) + " steps")
                .findFirst()
                .orElse(base);
    }

    /** The command that repeats the measurement, without the folder of its output. */
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
        ExperimentSetup setup = ExperimentSetup.of(config, Map.of(), version, tells ? listener : RunListener.SILENT);
        return new Comparison(setup.experiment(), setup.contenders(), setup.search(config), new TrialStore(folder()));
    }

    private List<String> arguments() {
        List<String> arguments = new ArrayList<>(List.of("compare"));
        arguments.addAll(words);
        return arguments;
    }

    private Process worker(int number) {
        List<String> command = new ArrayList<>(program.start());
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
