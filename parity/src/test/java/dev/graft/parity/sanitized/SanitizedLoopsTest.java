package dev.graft.parity.sanitized;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Neither drawn operands nor drawn models have the loops touch memory beside their operands: in processes whose loops check every access. */
@Tag("slow")
class SanitizedLoopsTest {
    private static final Path LOOPS = Path.of("..", "tensor", "target", "sanitized");

    @TempDir
    Path folder;

    /** @param most the newest instructions that the loops may use, as oneDNN names them */
    @ParameterizedTest
    @ValueSource(strings = {"DEFAULT", "AVX512_CORE_BF16", "AVX2", "SSE41"})
    void drawnShapesStayInsideTheirMemory(String most) throws Exception {
        assertThat(run(LoopFuzz.class, most, "20")).contains(" calls, ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"DEFAULT", "AVX2"})
    void drawnModelsGiveNumbersOrAreRefused(String most) throws Exception {
        String said = run(ConfigFuzz.class, most, "20", folder.toString());
        assertThat(said).contains(" models, ");
    }

    private String run(Class<?> program, String most, String... arguments) throws Exception {
        assertThat(LOOPS.resolve("META-INF")).as("built by the profile slow").isDirectory();
        String seed = String.valueOf(System.nanoTime() % 1_000_000);
        String libraries = library("libasan.so") + ":" + library("libubsan.so");
        Path log = folder.resolve("log");
        ProcessBuilder process = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx1g",
                "-cp",
                LOOPS
                        + File.pathSeparator
                        + System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                program.getName(),
                seed);
        process.command().addAll(List.of(arguments));
        process.environment()
                .putAll(Map.of(
                        "ONEDNN_MAX_CPU_ISA",
                        most,
                        "LD_PRELOAD",
                        libraries,
                        // The JVM handles faults of its own, and its memory is no leak.
                        "ASAN_OPTIONS",
                        "handle_segv=0:handle_sigill=0:allow_user_segv_handler=1:detect_leaks=0",
                        "UBSAN_OPTIONS",
                        "halt_on_error=1:print_stacktrace=1"));
        Process started =
                process.redirectErrorStream(true).redirectOutput(log.toFile()).start();
        try {
            assertThat(started.waitFor(5, TimeUnit.MINUTES)).as("ended").isTrue();
        } finally {
            started.destroyForcibly();
        }
        String said = Files.readString(log);
        assertThat(started.exitValue()).as("seed %s: %s", seed, said).isZero();
        return said;
    }

    /** The sanitizer's library of gcc, which an assumption asks for. */
    private static Path library(String name) throws IOException, InterruptedException {
        Path found = null;
        try {
            Process gcc = new ProcessBuilder("gcc", "-print-file-name=" + name).start();
            found = Path.of(new String(gcc.getInputStream().readAllBytes(), UTF_8).strip());
            gcc.waitFor();
        } catch (IOException noCompiler) {
            // assumed below
        }
        assumeThat(found != null && found.isAbsolute()).as("gcc with %s", name).isTrue();
        return found.toRealPath();
    }
}
