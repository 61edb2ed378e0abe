package dev.graft.benchmarks;

import dev.graft.formats.InputException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The reference files of the checkout, seen from its root or from a module. */
final class Fixtures {
    private Fixtures() {}

    static Path path(String name) {
        for (Path folder : new Path[] {Path.of("parity/fixtures"), Path.of("../parity/fixtures")}) {
            if (Files.isDirectory(folder)) {
                return folder.resolve(name);
            }
        }
        throw new InputException("there is no parity/fixtures here; run the benchmarks in Graft's folder");
    }
}
