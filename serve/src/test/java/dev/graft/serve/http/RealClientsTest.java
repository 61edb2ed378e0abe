package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Programs that people use. Python is {@code GRAFT_PYTHON} or {@code python3}, with the package openai. */
@Tag("slow")
@Timeout(120)
class RealClientsTest {
    private static TinyChat tiny;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), TinyChat.options());
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }

    private record Run(int code, String output) {}

    private static Run run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Run(process.waitFor(), output);
    }

    private static boolean has(String... command) {
        try {
            return run(command).code == 0;
        } catch (IOException none) {
            return false;
        } catch (InterruptedException stop) {
            throw new AssertionError(stop);
        }
    }

    @Test
    void openAisPythonClient(@TempDir Path folder) throws Exception {
        String python = Objects.requireNonNullElse(System.getenv("GRAFT_PYTHON"), "python3");
        assumeTrue(has(python, "-c", "import openai"), python + " has no package openai");
        Path script = folder.resolve("openai_client.py");
        Files.write(
                script,
                RealClientsTest.class.getResourceAsStream("openai_client.py").readAllBytes());
        try (Reciter reciter = new Reciter(Files.createDirectories(folder.resolve("reciter")), Reciter.TWO_CALLS)) {
            String address = tiny.server.address().toString();
            Run run = run(
                    python, script.toString(), address, reciter.server.address().toString());
            assertThat(run.output).isEqualTo("well\n");
        }
    }

    @Test
    void curl() throws Exception {
        assumeTrue(has("curl", "--version"), "no curl");
        String address = tiny.server.address() + "/v1/completions";
        String body = "{\"model\": \"poet\", \"prompt\": \"Hello\", \"max_tokens\": 3, \"stream\": true}";
        Run run = run("curl", "-sSN", address, "-H", "Content-Type: application/json", "-d", body);

        List<String> events =
                run.output.lines().filter(line -> line.startsWith("data: ")).toList();
        assertThat(events).hasSizeGreaterThanOrEqualTo(2).last().isEqualTo("data: [DONE]");
        assertThat(run("curl", "-sS", address, "-d", body).output).contains("expected application/json");
    }
}
