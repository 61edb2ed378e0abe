package dev.graft.cli.bench;

import dev.graft.cli.terminal.ConsoleListener;
import dev.graft.cli.terminal.Table;
import dev.graft.eval.cost.Machine;
import dev.graft.run.bench.BenchmarkProgram;
import dev.graft.run.bench.PageSection;
import dev.graft.run.bench.PeftComparison;
import dev.graft.run.bench.PeftComparisonReport;
import dev.graft.run.bench.PeftRunner;
import dev.graft.run.bench.Scenario;
import dev.graft.run.bench.ScenarioResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One run of {@code graft bench compare}. */
record BenchCompareRun(
        PeftOptions options,
        PeftComparison.Plan plan,
        List<Scenario> scenarios,
        String version,
        String command,
        PrintWriter err) {
    private static final Path PAGE = Path.of("PERFORMANCE.md");
    private static final double IDLE = 0.5;

    String report(boolean write, boolean json) {
        PageSection page = new PageSection(PAGE);
        if (write) {
            page.check();
        }
        Double load = load();
        PeftRunner peftRunner = options.find();
        if (load != null && load > IDLE) {
            err.println("warning: the load is " + load + ", so other programs run and the figures will be wrong");
        }
        List<ScenarioResult> outcomes =
                new PeftComparison(GraftProcess.program(), peftRunner, plan, new ConsoleListener(err)).run(scenarios);
        Map<String, String> versions = new LinkedHashMap<>(Map.of("graft", graft()));
        versions.putAll(peftRunner.versions());
        PeftComparisonReport report = new PeftComparisonReport(outcomes, plan, Machine.read(), versions, load, command);
        if (write) {
            page.replace(report.markdown());
        }
        return json ? report.json() + "\n" : text(report);
    }

    static String text(PeftComparisonReport report) {
        StringBuilder text = new StringBuilder();
        if (report.outcomes().size() > 1) {
            text.append(table(PeftComparisonReport.SUMMARY, report.summary())).append('\n');
        }
        for (ScenarioResult result : report.outcomes()) {
            text.append(result.scenario().title())
                    .append('\n')
                    .append(table(PeftComparisonReport.HEADER, PeftComparisonReport.rows(result)))
                    .append(PeftComparisonReport.verdict(result))
                    .append("\n\n");
        }
        return text + report.facts() + "\n";
    }

    private static Table table(List<String> head, List<List<String>> rows) {
        Table table = new Table(head.toArray(String[]::new));
        rows.forEach(row -> table.row(row.toArray()));
        return table;
    }

    private static @Nullable Double load() {
        try {
            return Double.valueOf(Files.readString(Path.of("/proc/loadavg"), StandardCharsets.ISO_8859_1)
                    .split(" ")[0]);
        } catch (IOException notLinux) {
            return null;
        }
    }

    /** The version, and the commit where this is a checkout. */
    private String graft() {
        try {
            BenchmarkProgram git = new BenchmarkProgram(List.of("git"), List.of());
            return version + " ("
                    + git.run(List.of("describe", "--always", "--dirty")).last() + ")";
        } catch (IllegalStateException | UncheckedIOException noCheckout) {
            return version;
        }
    }
}
