package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

class ArchiveExtractorFuzzTest {
    /** Whatever the bytes: either refused, or everything lies inside the folder as plain files. */
    @FuzzTest(maxDuration = "30s")
    void anyBytesAreRefusedOrStayInside(byte[] zip) throws IOException {
        Path root = Files.createTempDirectory("fuzz");
        try {
            Path archive = Files.write(root.resolve("a.jar"), zip);
            Path target = Files.createDirectories(root.resolve("inner/target"));
            try {
                ArchiveExtractor.unpack(archive, target, DownloadProgress.SILENT);
            } catch (FormatException e) {
                assertThat(e).hasMessageContaining("a.jar");
            }
            try (Stream<Path> files = Files.walk(root)) {
                assertThat(files.filter(file -> !file.startsWith(target)))
                        .containsExactlyInAnyOrder(root, archive, root.resolve("inner"));
            }
            try (Stream<Path> files = Files.walk(target)) {
                assertThat(files).noneMatch(Files::isSymbolicLink);
            }
        } finally {
            try (Stream<Path> files = Files.walk(root)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }
}
