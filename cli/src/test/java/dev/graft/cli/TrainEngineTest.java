package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import dev.graft.tensor.ops.Int8GradientProduct;
import dev.graft.train.ResidentMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Optimisers, memory, profiles and searches of {@code graft train}. */
class TrainEngineTest {
    @TempDir
    private Path folder;

    private Path model;
    private Path data;
    private Path out;

    @BeforeEach
    void rows() throws IOException {
        model = TinyLlama.write(folder.resolve("llama"));
        data = Files.writeString(
                folder.resolve("rows.jsonl"), "{\"prompt\": \"abc\", \"completion\": \" xyz\"}\n".repeat(24));
        out = folder.resolve("out");
    }

    private Cli train(Object... more) {
        List<Object> words = new ArrayList<>(
                List.of("train", "--model", model, "--data", data, "--dtype", "fp32", "--output-dir", out, "epochs=1"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    @Test
    void anOptimiserWithItsOptionsGroupsAndAnAverageTrains() {
        Cli run = train(
                "optimizer=adafactor",
                "optimizer_kwargs={scale_parameter: true, beta1: 0.9}",
                "parameter_groups={lora_B: {learning_rate: 3e-3, weight_decay: 0.1}}",
                "ema_decay=0.9",
                "gradient_checkpointing=true",
                "drop_backward=0.3",
                "auto_freeze=50",
                "memory_limit=40g",
                "--profile",
                "1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("Profile of 1 steps")
                .contains("operation", "vocabulary head and loss", "layer", "backward");
        assertThat(out.resolve("adapter/adapter_model.safetensors")).exists();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "optimizer=lion optimizer_kwargs={reg: 1} | unknown field \"reg\"",
                "optimizer=lbfgs max_grad_norm=1 | max_grad_norm is 1.0; set it to 0",
                "optimizer=lion eps=1e-6 | eps belongs to optimizer adamw and its kin",
                "optimizer=adafactor optimizer_kwargs={relative_step: true} | sets the learning rate by the number of"
                        + " the step",
                "parameter_groups={lora_Q: {learning_rate: 1e-3}} | no trained parameter has lora_Q in its name",
                "parameter_groups={lora_B: {lr: 1e-3}} | unknown field \"lr\"",
                "auto_freeze_steps=3 | auto_freeze is not set",
                "memory_limit=1m | memory_limit is 1.0 MiB, but",
                "memory_limit=much | expected a size of memory as 700m or 2g"
            })
    void whatDoesNotGoTogetherIsRefused(String words, String message) {
        Cli run = train((Object[]) words.split(" (?=[a-z_.]+=)"));
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }

    @Test
    void learningRatesAreTriedAndNothingIsWritten() {
        Cli run = train("--find-lr", "batch_size=4");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("learning rate", "1.0e-6", "Try learning_rate=");
        assertThat(out).doesNotExist();
    }

    @Test
    void aDryRunEstimatesAndTries() {
        Cli run = train("--dry-run", "memory_limit=40g");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .contains("estimate: about ", " before the first step", " for 8 rows of ")
                .contains("the process took ", "memory_limit 40.0 GiB would be kept");
        assertThat(out).doesNotExist();
    }

    @Test
    void quantizationIsChosenByWhatFits() throws IOException {
        Cli dry = train("--dry-run", "quantization=auto");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.out())
                .contains("\nquantization: none  #")
                .containsPattern(
                        "quantization=auto takes none, which takes at most about .* of .*, nine tenths of this")
                .contains("estimate: about");

        Cli run = train("quantization=auto", "memory_limit=40g");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).containsPattern("quantization=auto takes none, .* of 40.0 GiB by memory_limit");
        assertThat(out.resolve("config.yaml")).content().contains("\nquantization: none  #");

        Cli refused = train("quantization=auto", "memory_limit=1m", "overwrite_output_dir=true");
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err())
                .containsPattern("takes nf4: none would take about .*, int8 would take about .*, and there are 1.0 MiB")
                .contains("memory_limit is 1.0 MiB, but the run would take");
    }

    @Test
    void whatNeedsTheMatricesWholeGetsThem() {
        // What a run loads once is there before the room is measured.
        assertThat(train("--dry-run").code()).isZero();
        String room = "memory_limit=" + (3 * ResidentMemory.bytes() >> 20) + "m";
        Cli run = train("--method", "full-fine-tuning", "quantization=auto", room);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err())
                .contains("quantization=auto tries nf4")
                .containsPattern("quantization=auto takes none, since nf4 was refused: .* is kept in nf4");
    }

    @Test
    void gradientsGoBackInInt8WhereAskedForAndARunGoesOnThatWay() throws IOException {
        Assumptions.assumeTrue(Int8GradientProduct.isAvailable(), "no products in int8 in this processor");
        model = TinyLlama.write(folder.resolve("wide"), 256, 512);
        Cli run = train("int8_gradients=true");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("fp32, gradients through it in int8, ");
        Cli other = train("int8_gradients=false");
        assertThat(other.code()).as(other.err()).isEqualTo(2);
        assertThat(other.err()).contains("adapter.int8_gradients was true");

        Cli whole = train("--dry-run", "overwrite_output_dir=true");
        assertThat(whole.code()).as(whole.err()).isZero();
        assertThat(whole.err()).contains(" fp32, ").doesNotContain("gradients through");
    }

    @Test
    void aRunGoesOnInTheQuantizationThatItBeganWith() {
        assertThat(train("quantization=int8").code()).isZero();
        Cli other = train("quantization=nf4");
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("adapter.quantization was \"int8\" and is now \"nf4\"");
        Cli again = train("quantization=auto");
        assertThat(again.code()).as(again.err()).isZero();
        assertThat(again.err()).contains("quantization=auto takes int8, as in the checkpoint");
    }

    @Test
    void aSweepWithARunThatCannotBeMeantStartsNone() throws IOException {
        Path sweep = Files.writeString(
                folder.resolve("sweep.yaml"), "settings:\n  lora.init_lora_weights: [gaussian, nonsense]\n");
        Cli run = train("--sweep", sweep);
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains("init_lora_weights is \"nonsense\"");
        assertThat(out).doesNotExist();
    }

    @Test
    void aDryRunAndARunJudgeALimitAlike() {
        assertThat(train("--dry-run", "memory_limit=1m").out())
                .contains("MiB: ", "memory_limit 1.0 MiB would be passed by the estimate: the run would be refused");
        Cli run = train("memory_limit=1m");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("memory_limit is 1.0 MiB, but the run would take about ");
    }

    @Test
    @Tag("slow")
    void aSweepRunsEveryCombinationOnceAndGoesOn() throws IOException {
        // Rows are shared out by their content.
        StringBuilder rows = new StringBuilder();
        for (char letter = 'a'; letter < 'y'; letter++) {
            rows.append("{\"prompt\": \"ab%s\", \"completion\": \" xyz\"}\n".formatted(letter));
        }
        Files.writeString(folder.resolve("rows.jsonl"), rows);
        Path sweep = Files.writeString(
                folder.resolve("sweep.yaml"),
                "settings:\n  learning_rate: [1e-4, 1e-2]\n  optimizer: [adamw, nonsense]\n");
        assertThat(train("--sweep", sweep).err()).contains("optimizer is \"nonsense\"");
        assertThat(out).doesNotExist();
        Files.writeString(sweep, "parallel: 2\nsettings:\n  learning_rate: [1e-4, 1e-2]\n");

        Cli run = train("--sweep", sweep, "data.valid_fraction=0.25");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("run", "learning_rate", "loss", "run-1", "run-2");
        assertThat(run.out().indexOf("run-2"))
                .as("the better one first")
                .isLessThan(run.out().indexOf("run-1"));
        JsonNode first = Json.read(out.resolve("run-1/report.json"));

        Cli again = train("--sweep", sweep, "data.valid_fraction=0.25", "--json");
        assertThat(again.code()).as(again.err()).isZero();
        assertThat(again.json().size()).isEqualTo(2);
        assertThat(Json.read(out.resolve("run-1/report.json"))).isEqualTo(first);
        assertThat(train("--sweep", sweep, "data.valid_fraction=0.5").err())
                .contains("is of a sweep with other settings");

        Files.writeString(folder.resolve("rows.jsonl"), rows.toString().replace("xyz", "xzy"));
        assertThat(train("--sweep", sweep, "data.valid_fraction=0.25").err())
                .contains("run-1.yaml is of a sweep on other rows", "put them back");
        Files.writeString(folder.resolve("rows.jsonl"), rows);
        String recipe = Files.readString(out.resolve("run-1.yaml"));
        Files.writeString(out.resolve("run-1.yaml"), recipe.substring(0, recipe.lastIndexOf("# rows ")));
        assertThat(train("--sweep", sweep, "data.valid_fraction=0.25").code())
                .as("a sweep of an earlier version")
                .isZero();
        assertThat(out.resolve("run-1.yaml")).hasContent(recipe);

        AtomicWrite.delete(out.resolve("run-2"));
        String log = Files.readString(out.resolve("run-2.log"));
        assertThat(train("--sweep", sweep, "data.valid_fraction=0.25").code()).isZero();
        assertThat(Files.readString(out.resolve("run-2.log"))).startsWith(log).hasSizeGreaterThan(log.length());
    }
}
