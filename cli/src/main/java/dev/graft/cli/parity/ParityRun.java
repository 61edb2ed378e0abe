package dev.graft.cli.parity;

import dev.graft.cli.terminal.ProgressLine;
import dev.graft.cli.terminal.Terminal;
import dev.graft.parity.CaseResult;
import dev.graft.parity.Parity;
import dev.graft.parity.ParityReport;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;

/** A run of {@code graft parity}: failures are reported at once, the summary at the end. */
final class ParityRun {
    private ParityRun() {}

    static int run(Path tree, boolean verbose, boolean json, PrintWriter out, PrintWriter err) {
        ParityReport report;
        try (ProgressLine progress = new ProgressLine(err, Terminal.isLive(), 1)) {
            int[] done = {0};
            report = Parity.run(tree, result -> {
                done[0]++;
                if (verbose || result.status() == CaseResult.Status.FAILED) {
                    progress.print(line(result));
                }
                progress.show(done[0] + " cases  " + result.id());
            });
        }
        (json ? err : out).print(report.table());
        if (json) {
            err.flush();
            out.println(report.toJson());
        }
        return report.failed().isEmpty() ? 0 : 1;
    }

    private static String line(CaseResult result) {
        String status = result.status().name().toLowerCase(Locale.ROOT).replace('_', ' ');
        String figures = result.status() == CaseResult.Status.NOT_COVERED
                ? ""
                : String.format(Locale.ROOT, "  %.1e (limit %.1e)", result.maxError(), result.tolerance());
        return status + "  " + result.id() + figures + (result.message().isEmpty() ? "" : "  " + result.message());
    }
}
