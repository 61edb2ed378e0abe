package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class MergeCommandTest {
    @TempDir
    private Path folder;

    private float[] logits(Object... modelAndAdapter) throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "{\"input_ids\": [[3, 14, 15, 9, 26]]}");
        Path out = folder.resolve("o.safetensors");
        Object[] arguments = Stream.concat(
                        Stream.of("logits", "--input-ids", ids, "--out", out, "-m"), Stream.of(modelAndAdapter))
                .toArray();
        assertThat(Cli.run(arguments).code()).isZero();
        try (Safetensors file = Safetensors.open(out)) {
            return file.tensor("logits").floats();
        }
    }

    @Test
    void theMergedFolderGivesWhatTheAdapterGives() throws IOException {
        Path base = Cli.base("llama-gqa");
        Path adapter = Cli.adapter("llama-gqa/lora");
        Path out = folder.resolve("merged");
        Cli run = Cli.run("merge", "-m", base, "-a", adapter, "--out", out, "--json");
        assertThat(run.code()).isZero();
        JsonNode json = run.json();
        assertThat(json.get("merged_max_diff").doubleValue()).isBetween(0.0, 1e-4);
        assertThat(json.get("greedy_agreement").doubleValue()).isEqualTo(1);
        assertThat(json.get("positions").intValue()).isEqualTo(4 * 32);
        float[] adapted = logits(base, "-a", adapter);
        assertThat(logits(out)).containsExactly(adapted, within(1e-4f));
        assertThat(logits(base)).satisfies(frozen -> {
            double apart = 0;
            for (int i = 0; i < frozen.length; i++) {
                apart = Math.max(apart, Math.abs(frozen[i] - adapted[i]));
            }
            assertThat(apart).isGreaterThan(0.01);
        });
    }

    @Test
    void severalAdaptersMergeInTheirOrder() throws IOException {
        Path base = Cli.base("llama-gqa");
        Path out = folder.resolve("merged");
        Cli run = Cli.run(
                "merge",
                "-m",
                base,
                "-a",
                Cli.adapter("llama-gqa/lora"),
                "-a",
                Cli.adapter("llama-gqa/ia3"),
                "--out",
                out);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("same likeliest answer at 100.00 % of 128 positions");
        assertThat(logits(out))
                .containsExactly(
                        logits(base, "-a", Cli.adapter("llama-gqa/lora"), "-a", Cli.adapter("llama-gqa/ia3")),
                        within(1e-4f));
    }

    @Test
    void aHeadThatNobodyTrainedIsSaidAndNeverWritten() throws IOException {
        Path adapter = Files.createDirectories(folder.resolve("headless"));
        Path from = Cli.adapter("llama-gqa/lora");
        Files.copy(from.resolve("adapter_model.safetensors"), adapter.resolve("adapter_model.safetensors"));
        Path config = adapter.resolve("adapter_config.json");
        String written = Files.readString(from.resolve("adapter_config.json"));
        Files.writeString(config, written.replace("CAUSAL_LM", "SEQ_CLS"));
        Path base = Cli.base("llama-gqa");
        Path ids = Files.writeString(folder.resolve("some.json"), "{\"input_ids\": [[3, 14, 15]]}");
        Path out = folder.resolve("merged");

        Cli logits = Cli.run(
                "logits", "-m", base, "-a", adapter, "--input-ids", ids, "--out", folder.resolve("l.safetensors"));
        assertThat(logits.code()).as(logits.err()).isZero();
        assertThat(logits.err())
                .contains("warning: ", "no trained head for SEQ_CLS, and no adapter has one: score.weight are random");
        for (Cli refused : new Cli[] {
            Cli.run("merge", "-m", base, "-a", adapter, "--out", out),
            Cli.run("export", "-m", base, "-a", adapter, "--to", "hf", "-o", out)
        }) {
            assertThat(refused.code()).as(refused.out()).isEqualTo(2);
            assertThat(refused.err()).contains("score.weight are random; name an adapter that was trained with one");
        }
        assertThat(out).doesNotExist();

        Files.writeString(config, written.replace("CAUSAL_LM", "WHAT"));
        assertThat(Cli.run("merge", "-m", base, "-a", adapter, "--out", out).err())
                .contains("adapter_config.json: task_type is \"WHAT\", expected one of");
    }

    @Test
    void whatIsNoChangeOfWeightsIsRefusedByName() {
        Path out = folder.resolve("merged");
        Cli run = Cli.run(
                "merge", "-m", Cli.base("llama-gqa"), "-a", Cli.adapter("llama-gqa/prefix-tuning"), "--out", out);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("p-tuning-v2 can't be merged");
        assertThat(out).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(strings = {"nf4", "fp4", "int8"})
    void aQuantisedBaseIsWrittenAsOneOnlyWhenAsked(String kind) {
        Path base = Cli.base("llama-" + kind);
        Path adapter = folder.resolve("adapter");
        Base quantised = Base.load(base);
        Adapter made =
                Adapter.create(quantised, new Lora(LoraConfig.DEFAULT.withR(4).withAlpha(8)), 1);
        try (NoGrad noGrad = new NoGrad()) {
            made.parameters().values().forEach(parameter -> parameter.value().fill_(new Scalar(0.02)));
        }
        made.save(adapter);
        Path out = folder.resolve("merged");

        Cli refused = Cli.run("merge", "-m", base, "-a", adapter, "--out", out);
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("is kept in " + kind, "--dequantize", "--requantize");
        assertThat(out).doesNotExist();

        Cli asked = Cli.run("merge", "-m", base, "-a", adapter, "--out", out, "--requantize", "--json");
        assertThat(asked.code()).as(asked.err()).isZero();
        double most = kind.equals("int8") ? 0.01 : 0.15;
        assertThat(asked.json().get("requantization_error").properties())
                .hasSameSizeAs(quantised.quantized().keySet())
                .allSatisfy(error -> assertThat(error.getValue().doubleValue()).isBetween(1e-4, most));
        assertThat(Base.load(out).quantized().values())
                .extracting(QuantizedMatrix::kind)
                .hasSize(quantised.quantized().size())
                .containsOnly(kind);
        Cli both = Cli.run("merge", "-m", base, "-a", adapter, "--out", out, "--requantize", "--dequantize");
        assertThat(both.code()).isEqualTo(2);
        assertThat(both.err()).contains("--dequantize or --requantize, not both");
    }

    @Test
    void aFolderWithSomethingInItIsReplacedOnlyWhenAsked() throws IOException {
        Path out = Files.createDirectories(folder.resolve("merged"));
        Path precious = Files.writeString(out.resolve("notes.txt"), "mine");
        Object[] merge = {"merge", "-m", Cli.base("llama-gqa"), "-a", Cli.adapter("llama-gqa/lora"), "--out", out};
        Cli refused = Cli.run(merge);
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("is there and not empty", "--overwrite");
        assertThat(precious).hasContent("mine");
        Object[] anyway =
                Stream.concat(Stream.of(merge), Stream.of("--overwrite")).toArray();
        assertThat(Cli.run(anyway).code()).isZero();
        assertThat(out.resolve("model.safetensors")).exists();
    }

    @Test
    void theFolderOfTheModelIsNeverReplaced() {
        Path adapter = Cli.adapter("llama-gqa/lora");
        Cli run = Cli.run(
                "merge", "-m", Cli.base("llama-gqa"), "-a", adapter, "--out", Cli.base("llama-gqa"), "--overwrite");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("which is merged; name another folder");
        assertThat(Cli.base("llama-gqa").resolve("reference.safetensors")).exists();
    }

    @Test
    void withoutAnAdapterThereIsNothingToMerge() {
        Cli run = Cli.run("merge", "-m", Cli.base("llama-gqa"), "--out", folder.resolve("merged"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).startsWith("give the adapter to merge by --adapter\n");
    }
}
