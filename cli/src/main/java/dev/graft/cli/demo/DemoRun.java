package dev.graft.cli.demo;

import dev.graft.cli.terminal.DownloadProgressLine;
import dev.graft.cli.terminal.Table;
import dev.graft.cli.terminal.Terminal;
import dev.graft.eval.demo.Demo;
import dev.graft.eval.demo.DemoResult;
import dev.graft.eval.demo.DemoScore;
import dev.graft.eval.demo.DemoSettings;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.run.model.LoadedModel;
import dev.graft.run.progress.UnitFormat;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;

/**
 * Runs the demonstration for the command line. It is separate from its command, so that help doesn't load its classes.
 */
record DemoRun(Path outputDir, long seed, boolean json, PrintWriter out, PrintWriter err) {
    int run() {
        LoadedModel.useThreads((Integer) null);
        DemoResult result;
        try (DownloadProgressLine download = new DownloadProgressLine(err, Terminal.isLive());
                DemoProgressLine line = new DemoProgressLine(err, Terminal.isLive())) {
            result = new Demo(DemoSettings.of(outputDir, seed), new Hub(download), line).run();
        }
        if (json) {
            out.println(Json.compact(result.toJson()));
        } else {
            print(result);
        }
        result.failures().forEach(failure -> err.println("failed: " + failure));
        return result.failures().isEmpty() ? 0 : 1;
    }

    private void print(DemoResult result) {
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
                UnitFormat.bytes(result.adapterBytes()),
                result.peakResident() == null ? "unknown" : UnitFormat.bytes(result.peakResident()),
                UnitFormat.duration(Duration.ofMillis(Math.round(1000 * result.seconds()))));
        result.answers()
                .forEach((text, answer) ->
                        out.printf(Locale.ROOT, "%-14s %.2f  %s%n", answer.label(), answer.probability(), text));
        out.println();
        out.println("Look at " + outputDir.resolve("report.html") + ", then try:");
        result.nextCommands().forEach(command -> out.println("  " + command));
    }

    private static void row(Table table, String name, DemoScore score) {
        table.row(
                name,
                String.format(Locale.ROOT, "%.3f", score.accuracy()),
                String.format(Locale.ROOT, "%.3f", score.macroF1()),
                UnitFormat.duration(Duration.ofMillis(Math.round(1000 * score.seconds()))));
    }
}
