package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class ParityCommandTest {
    @TempDir
    private Path tree;

    /** A tree of one case. */
    private Path copyBase(String name) throws IOException {
        Path folder = Files.createDirectories(tree.resolve("bases").resolve(name));
        try (Stream<Path> files = Files.list(Cli.base(name))) {
            for (Path file : files.toList()) {
                Files.copy(file, folder.resolve(file.getFileName().toString()));
            }
        }
        return folder;
    }

    private static void changeLogits(Path reference) {
        List<TensorData> tensors = new ArrayList<>();
        try (Safetensors file = Safetensors.open(reference)) {
            for (String name : file.names()) {
                TensorData tensor = file.tensor(name);
                if (name.equals("logits")) {
                    float[] values = tensor.floats();
                    values[0] += 0.5f;
                    tensor = TensorData.of(name, values, tensor.info().shape());
                }
                tensors.add(tensor);
            }
        }
        Safetensors.write(reference, tensors, Map.of());
    }

    private static JsonNode lastLine(Cli run) {
        List<String> lines = run.out().lines().toList();
        return Json.parse("last line", lines.get(lines.size() - 1));
    }

    @Test
    void casesThatHoldPass() throws IOException {
        copyBase("llama-gqa");
        Cli run = Cli.run("parity", tree, "--json");
        assertThat(run.code()).isZero();
        JsonNode report = lastLine(run);
        assertThat(report.get("passed").intValue()).isEqualTo(1);
        assertThat(report.at("/cases/0/id").stringValue()).isEqualTo("bases/llama-gqa");
        assertThat(report.at("/cases/0/max_error").doubleValue()).isBetween(0.0, 1e-4);
        assertThat(run.err()).contains("bases");
    }

    @Test
    void aCaseThatDiffersFailsTheCommand() throws IOException {
        changeLogits(copyBase("llama-gqa").resolve("reference.safetensors"));
        Cli run = Cli.run("parity", tree, "--json");
        assertThat(run.code()).isEqualTo(1);
        assertThat(lastLine(run).get("failed").toString()).isEqualTo("[\"bases/llama-gqa\"]");
        assertThat(run.err()).contains("failed  bases/llama-gqa");
        assertThat(Cli.run("parity", tree).out()).containsPattern("all +0 +1 +0");
    }

    @Test
    void aFolderWithoutCasesIsBadInput() {
        assertThat(Cli.run("parity", tree).code()).isEqualTo(2);
        assertThat(Cli.run("parity", tree.resolve("none")).err()).contains("there is no such folder");
    }
}
