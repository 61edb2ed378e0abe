package dev.graft.cli.bench;

import dev.graft.eval.cost.Machine;
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
        PeerOptions options,
        Comparison.Plan plan,
        List<Scenario> scenarios,
        String version,
        String command,
        PrintWriter err) {
    private static final Path PAGE = Path.of("PERFORMANCE.md");
    private static final double IDLE = 0.5;

    String report(boolean write, boolean json) {
        RecordedFigures page = new RecordedFigures(PAGE);
        if (write) {
            page.check();
        }
        Double load = load();
        Peer peer = options.find();
        if (load != null && load > IDLE) {
            err.println("warning: the load is " + load + ", so other programs run and the figures will be wrong");
        }
        List<Outcome> outcomes = new Comparison(Program.graft(), peer, plan, err).run(scenarios);
        Map<String, String> versions = new LinkedHashMap<>(Map.of("graft", graft()));
        versions.putAll(peer.versions());
        ComparisonReport report = new ComparisonReport(outcomes, plan, Machine.read(), versions, load, command);
        if (write) {
            page.replace(report.markdown());
        }
        return json ? report.json() + "\n" : report.text();
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
            Program git = new Program(List.of("git"), List.of());
            return version + " ("
                    + git.run(List.of("describe", "--always", "--dirty")).last() + ")";
        } catch (IllegalStateException | UncheckedIOException noCheckout) {
            return version;
        }
    }
}
