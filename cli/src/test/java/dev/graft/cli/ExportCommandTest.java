package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Gguf;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.pytorch.Scalar;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ExportCommandTest {
    @TempDir
    private Path folder;

    private Cli export(String base, String adapter, String form, String out, Object... more) {
        Object[] all = new Object[more.length + 9];
        all[0] = "export";
        all[1] = "-m";
        all[2] = Cli.base(base);
        all[3] = "--to";
        all[4] = form;
        all[5] = "-o";
        all[6] = folder.resolve(out);
        all[7] = "--json";
        all[8] = adapter.isEmpty() ? "--json" : "--adapter=" + Cli.adapter(adapter);
        System.arraycopy(more, 0, all, 9, more.length);
        if (adapter.isEmpty()) {
            all[8] = "--dtype=fp32";
        }
        return Cli.run(all);
    }

    @ParameterizedTest
    @CsvSource({"llama-gqa,llama-gqa/lora", "qwen2,qwen2/lora", "qwen3,qwen3/lora", "llama-linear,", "llama-mha,"})
    void aMergedModelIsReadAgainAsItWas(String base, @Nullable String adapter) {
        Cli run = export(base, adapter == null ? "" : adapter, "gguf", "model.gguf");
        assertThat(run.err()).doesNotContain("Exception");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("max_diff").doubleValue()).isLessThan(1e-4);
        assertThat(run.json().get("greedy_agreement").doubleValue()).isEqualTo(1);
    }

    @Test
    void stretchedWavelengthsAreReadAgain() throws IOException {
        Path base = folder.resolve("llama3");
        Files.createDirectories(base);
        Path from = Cli.base("llama3-rope");
        Files.copy(from.resolve("model.safetensors"), base.resolve("model.safetensors"));
        Files.writeString(
                base.resolve("config.json"),
                Files.readString(from.resolve("config.json"))
                        .replace("embeddings\": 16", "embeddings\": 8192")
                        .replace("rope_theta\": 10000.0", "rope_theta\": 500000.0"));
        Cli run = Cli.run("export", "-m", base, "--to", "gguf", "-o", folder.resolve("a.gguf"), "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("max_diff").doubleValue()).isLessThan(1e-4);
    }

    /** What llama.cpp computes: its own matrix plus alpha / r times B A, in its order of rows. */
    @Test
    void anAdapterFitsTheFileOfItsBase() {
        String adapter = "llama-gqa/lora-patterns";
        assertThat(export("llama-gqa", "", "gguf", "base.gguf").code()).isZero();
        assertThat(export("llama-gqa", adapter, "gguf", "merged.gguf").code()).isZero();
        Cli run = export("llama-gqa", adapter, "gguf-adapter", "lora.gguf");
        assertThat(run.code()).as(run.err()).isZero();
        try (Gguf base = Gguf.open(folder.resolve("base.gguf"));
                Gguf merged = Gguf.open(folder.resolve("merged.gguf"));
                Gguf lora = Gguf.open(folder.resolve("lora.gguf"))) {
            assertThat(lora.fields().string("general.type")).isEqualTo("adapter");
            assertThat(lora.fields().string("general.architecture"))
                    .isEqualTo(base.fields().string("general.architecture"));
            assertThat(lora.fields().string("adapter.type")).isEqualTo("lora");
            int changed = 0;
            for (String name : base.names()) {
                float[] expected = merged.dequantize(name);
                float[] got = base.dequantize(name);
                if (lora.names().contains(name + ".lora_a")) {
                    add(got, lora, name);
                    changed++;
                }
                for (int i = 0; i < got.length; i++) {
                    assertThat(got[i]).as(name).isCloseTo(expected[i], within(1e-5f));
                }
            }
            assertThat(lora.names()).hasSize(2 * changed);
            assertThat(changed).isPositive();
        }
    }

    private static void add(float[] matrix, Gguf lora, String name) {
        float[] a = lora.dequantize(name + ".lora_a");
        float[] b = lora.dequantize(name + ".lora_b");
        int r = (int) lora.info(name + ".lora_a").shape()[0];
        int in = (int) lora.info(name + ".lora_a").shape()[1];
        float scale = (float) lora.fields().number("adapter.lora.alpha") / r;
        for (int row = 0; row < matrix.length / in; row++) {
            for (int column = 0; column < in; column++) {
                for (int k = 0; k < r; k++) {
                    matrix[row * in + column] += scale * b[row * r + k] * a[k * in + column];
                }
            }
        }
    }

    @Test
    void aFolderMayBeHalfAsLarge() {
        Cli run = export("llama-gqa", "llama-gqa/lora", "hf", "merged", "--dtype", "bf16");
        assertThat(run.code()).as(run.err()).isZero();
        JsonNode json = run.json();
        assertThat(json.get("max_diff").doubleValue()).isBetween(1e-6, 0.1);
        try (Safetensors tensors = Safetensors.open(folder.resolve("merged/model.safetensors"))) {
            assertThat(tensors.names())
                    .allSatisfy(name ->
                            assertThat(tensors.info(name).dtype().toString()).isEqualTo("BF16"));
        }
    }

    @Test
    void anAdapterWithBiasesIsExportedMerged() {
        Adapter biased = Adapter.create(
                Base.load(Cli.base("qwen2")),
                new Lora(LoraConfig.DEFAULT
                        .withTargets(TargetModules.names("q_proj"))
                        .withLoraBias(true)),
                1);
        try (NoGrad noGrad = new NoGrad()) {
            biased.trainable().values().forEach(value -> value.fill_(new Scalar(0.02)));
        }
        Path adapter = folder.resolve("biased");
        biased.save(adapter);
        Path file = folder.resolve("a.gguf");
        Cli alone = Cli.run("export", "-m", Cli.base("qwen2"), "-a", adapter, "--to", "gguf-adapter", "-o", file);
        assertThat(alone.code()).isEqualTo(2);
        assertThat(alone.err()).contains("changes the bias there", "export the merged model");
        Cli merged = Cli.run("export", "-m", Cli.base("qwen2"), "-a", adapter, "--to", "gguf", "-o", file);
        assertThat(merged.code()).as(merged.err()).isZero();
    }

    @Test
    void whatAFileCannotSayIsRefused() {
        assertThat(export("bert-seqcls", "bert-seqcls/lora", "gguf", "a.gguf").err())
                .contains("only a causal language model");
        assertThat(export("llama-gqa", "llama-gqa/dora", "gguf-adapter", "a.gguf")
                        .err())
                .contains("no product of two narrow matrices");
        assertThat(export("llama-gqa", "llama-gqa/lora-bias", "gguf-adapter", "a.gguf")
                        .err())
                .contains("changes the bias there", "use the adapter beside the base")
                .doesNotContain("graft convert");
        assertThat(export("llama-gqa", "llama-gqa/lora", "hf", "a.gguf", "--task", "seq_cls")
                        .err())
                .contains("score.weight are random");
        assertThat(export("llama-gqa", "llama-gqa/lora-embedding", "gguf-adapter", "a.gguf")
                        .err())
                .contains("is for linear layers");
        assertThat(export("llama-gqa", "llama-gqa/lora-modules-to-save", "gguf-adapter", "a.gguf")
                        .err())
                .contains("can't hold the whole modules");
        assertThat(export("llama3-rope", "", "gguf", "a.gguf").err()).contains("original_max_position_embeddings");
        assertThat(export("gpt2", "", "gguf", "a.gguf").err()).contains("gpt2 can't be written as GGUF");
        assertThat(export("qwen2-window", "", "gguf", "a.gguf").err()).contains("sliding_window");
        assertThat(export("llama-gqa", "", "gguf-adapter", "a.gguf").err()).contains("there are 0");
        assertThat(export("llama-gqa", "", "gguf", "a").err()).contains("known by its ending");
        assertThat(folder.resolve("a.gguf")).doesNotExist();
    }
}
