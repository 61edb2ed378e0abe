package dev.graft.tensor;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starts processes of their own that load libtorch from an empty cache of JavaCPP. */
@Tag("slow")
class NativesTest {
    @TempDir
    Path cache;

    @Test
    void processesThatExtractLibtorchTogetherAllLoadIt() throws Exception {
        List<Process> processes = List.of(start(), start(), start());
        for (Process process : processes) {
            assertLoaded(process);
        }
    }

    @Test
    void libtorchThatAnInterruptedStartHalfExtractedIsExtractedAgain() throws Exception {
        assertLoaded(start());
        Path library = libtorch();
        long whole = Files.size(library);
        try (RandomAccessFile file = new RandomAccessFile(library.toFile(), "rw")) {
            file.setLength(whole / 2);
        }
        assertLoaded(start());
        assertThat(library).hasSize(whole);
    }

    private Path libtorch() throws IOException {
        try (var files = Files.walk(cache)) {
            return files.filter(file -> file.getFileName().toString().contains("torch_cpu"))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private Process start() throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Dorg.bytedeco.javacpp.cachedir=" + cache,
                        "-XX:-CreateCoredumpOnCrash",
                        "-XX:ErrorFile=" + cache.resolve("crash.log"),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Loading.class.getName())
                .redirectErrorStream(true)
                .start();
    }

    private static void assertLoaded(Process process) throws Exception {
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("threads");
    }

    /** Loads libtorch and asks it for its number of threads. */
    static final class Loading {
        public static void main(String[] arguments) {
            System.out.println(Natives.threads() + " threads");
        }
    }
}
