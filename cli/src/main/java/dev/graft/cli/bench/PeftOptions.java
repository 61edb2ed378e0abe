package dev.graft.cli.bench;

import dev.graft.run.bench.PeftRunner;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options {@code --python} and {@code --peer}. */
final class PeftOptions {
    @Option(
            names = "--python",
            paramLabel = "PY",
            description = "A Python with peft (default: the variable GRAFT_PYTHON, else python3).")
    private @Nullable String python;

    @Option(
            names = "--peer",
            paramLabel = "DIR",
            description = "The peer's scripts (default: benchmarks/peer, in Graft's folder).")
    private @Nullable Path scripts;

    boolean areGiven() {
        return python != null || scripts != null;
    }

    /** The peer that they say. */
    PeftRunner find() {
        return PeftRunner.find(python, System.getenv(), scripts == null ? Path.of("benchmarks", "peer") : scripts);
    }
}
