package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class ConvertCommandTest {
    @TempDir
    private Path folder;

    @Test
    void anAdapterBecomesLoraOfTheRankAndSaysHowFarItIs() {
        Path out = folder.resolve("lora");
        Cli run = Cli.run(
                "convert",
                Cli.adapter("llama-gqa/dora"),
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "lora",
                "--rank",
                3,
                "--out",
                out,
                "--json");
        assertThat(run.code()).isZero();
        JsonNode json = run.json();
        assertThat(json.get("from").asString()).isEqualTo("dora");
        assertThat(json.get("rank").intValue()).isEqualTo(3);
        assertThat(json.get("relative_error").doubleValue()).isBetween(0.01, 0.99);
        assertThat(json.get("modules").size()).isEqualTo(4);
        JsonNode config = Json.read(out.resolve("adapter_config.json"));
        assertThat(config.get("r").intValue()).isEqualTo(3);
        assertThat(config.get("use_dora").booleanValue()).isFalse();
    }

    @Test
    void withoutARankNothingIsLost() {
        Path out = folder.resolve("lora");
        Cli run = Cli.run(
                "convert",
                Cli.adapter("llama-gqa/lora-olora"),
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "lora",
                "--out",
                out);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("lora as LoRA of rank 8").contains("model.layers.0.self_attn.q_proj");
        assertThat(Json.read(out.resolve("adapter_config.json"))
                        .get("init_lora_weights")
                        .booleanValue())
                .isTrue();
    }

    @Test
    void mergedIsAModel() {
        Path out = folder.resolve("merged");
        Cli run = Cli.run(
                "convert",
                Cli.adapter("llama-gqa/lora-bd"),
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "merged",
                "--out",
                out);
        assertThat(run.code()).isZero();
        assertThat(out.resolve("model.safetensors")).exists();
    }

    @Test
    void whatIsNoChangeOfWeightsIsRefusedByName() {
        Path out = folder.resolve("lora");
        Cli run = Cli.run(
                "convert",
                Cli.adapter("llama-gqa/prefix-tuning"),
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "lora",
                "--rank",
                4,
                "--out",
                out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("can't be merged");
        assertThat(out).doesNotExist();
        Cli rank = Cli.run(
                "convert",
                Cli.adapter("llama-gqa/lora"),
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "merged",
                "--rank",
                4,
                "--out",
                out);
        assertThat(rank.code()).isEqualTo(2);
        assertThat(rank.err()).contains("--rank belongs to --to lora");
    }
}
