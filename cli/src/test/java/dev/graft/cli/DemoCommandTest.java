package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class DemoCommandTest {
    @TempDir
    private Path folder;

    @Test
    void refusesASeedThatIsNoNumber() {
        Cli run = Cli.run("demo", "--seed", "lucky");

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("--seed", "lucky");
    }

    @Test
    @Tag("slow")
    void loraOnMiniLmKnowsMoreKindsOfNounThanAProbe() throws Exception {
        Cli run = Cli.run("demo", "--output-dir", folder, "--json");

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode json = run.json();
        double probe = json.get("probe").get("accuracy").doubleValue();
        assertThat(probe).isBetween(0.6, 0.72);
        assertThat(json.get("lora").get("accuracy").doubleValue()).isBetween(0.755, 0.85);
        assertThat(json.get("lora").get("macro_f1").doubleValue()).isBetween(0.74, 0.85);
        assertThat(json.get("lora").get("seconds").doubleValue()).isPositive();
        // Merged and compared in fp32, whatever the processor trained in.
        assertThat(json.get("merged_max_diff").doubleValue()).isBetween(0.0, 1e-3);
        assertThat(json.get("reloaded_different").intValue()).isZero();
        assertThat(json.get("trainable_percent").doubleValue()).isEqualTo(2.8956);
        assertThat(json.get("adapter_bytes").longValue()).isBetween(2_600_000L, 2_800_000L);
        assertThat(json.get("peak_rss_mb").doubleValue()).isBetween(300.0, 6000.0);
        assertThat(json.get("answers")).hasSize(3);
        assertThat(folder.resolve("adapter/adapter_model.safetensors")).exists();
        assertThat(Files.readString(folder.resolve("report.html"))).contains("LoRA on the unseen rows");
    }
}
