package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that marks a benchmark's folder as generated. */
final class TwinMarker {
    private static final String FILE = "TWIN.txt";

    private TwinMarker() {}

    /** Marks a benchmark's folder as generated. */
    static void write(Path folder, String benchmark, long seed) {
        AtomicWrite.text(
                folder.resolve(FILE),
                "Generated with seed " + seed + ": a twin of " + benchmark
                        + " in its official files. No row was collected from people.\n");
    }

    /** Returns whether the benchmark in a folder was generated. */
    static boolean isIn(Path folder) {
        return Files.exists(folder.resolve(FILE));
    }
}
