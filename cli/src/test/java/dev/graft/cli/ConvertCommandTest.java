package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
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
    void aTruncatedLoraKeepsItsFirstRanks() {
        Path out = folder.resolve("rank-2");
        Path adapter = Cli.adapter("llama-gqa/lora");
        Cli run = Cli.run(
                "convert",
                adapter,
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "lora",
                "--rank",
                2,
                "--truncate",
                "--out",
                out);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("lora as LoRA of rank 2");
        try (Safetensors whole = Safetensors.open(adapter.resolve("adapter_model.safetensors"));
                Safetensors cut = Safetensors.open(out.resolve("adapter_model.safetensors"))) {
            String a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
            long[] shape = cut.info(a).shape();
            assertThat(shape[0]).isEqualTo(2);
            byte[] kept = new byte[(int) cut.info(a).bytes()];
            cut.bytes(a).get(kept);
            byte[] first = new byte[kept.length];
            whole.bytes(a).get(first);
            assertThat(kept).isEqualTo(first);
        }
        Cli alone = Cli.run(
                "convert",
                adapter,
                "-m",
                Cli.base("llama-gqa"),
                "--to",
                "lora",
                "--truncate",
                "--out",
                folder.resolve("x"));
        assertThat(alone.code()).isEqualTo(2);
        assertThat(alone.err()).contains("--truncate needs --to lora and --rank");
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
