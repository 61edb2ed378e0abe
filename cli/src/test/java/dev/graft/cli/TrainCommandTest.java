package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class TrainCommandTest extends TrainingOfTinyBert {
    @Test
    void theFormThatScriptsUseLeavesAPeftFolder() {
        Cli run = train("--epochs", "2");

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode config = Json.read(out.resolve("adapter/adapter_config.json"));
        assertThat(config.get("peft_type").stringValue()).isEqualTo("LORA");
        assertThat(config.get("task_type").stringValue()).isEqualTo("SEQ_CLS");
        assertThat(out.resolve("adapter/adapter_model.safetensors")).exists();
        assertThat(run.err())
                .containsPattern(
                        "trainable params: [\\d,]+ \\|\\| all params: [\\d,]+ \\|\\| trainable%: \\d+\\.\\d{4}\n");
        assertThat(out).isDirectoryContaining("glob:**/config.yaml").isDirectoryContaining("glob:**/report.html");
    }

    /** The run itself shows the rows to the base before it makes the adapter; what was taken off the base is in the file as ranks. */
    @ParameterizedTest
    @CsvSource({"eva, 4", "corda, 8", "lora_ga, 8"})
    void startsThatLookAtTheDataNeedNothingButTheirName(String start, int savedRank) {
        Path valid = data.resolveSibling("valid.jsonl");
        writeText(valid, classes(30));
        Cli run = train("lora.init_lora_weights=" + start, "lora.r=4", "max_steps=4", "lr=1e-3", "data.valid=" + valid);

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Json.read(out.resolve("adapter/adapter_config.json"))
                        .get("r")
                        .intValue())
                .isEqualTo(savedRank);
        Cli again = Cli.run(
                "eval",
                "--model",
                TINY_BERT,
                "--adapter",
                out.resolve("adapter"),
                "--data",
                valid,
                "--dtype",
                "fp32",
                "--json");
        assertThat(again.json().get("loss").doubleValue())
                .isCloseTo(report().at("/validation/loss").doubleValue(), within(1e-4));
    }

    @Test
    void trainingMakesTheScoresBetterAndAFreshProcessHasTheSameOnes() throws Exception {
        Cli run = train("epochs=12", "batch_size=8", "lr=1e-2", "data.valid_fraction=0.3", "metric=accuracy");
        assertThat(run.code()).as(run.err()).isZero();
        JsonNode report = report();
        double before = report.at("/before/loss").doubleValue();
        double after = report.at("/validation/loss").doubleValue();
        assertThat(after).isLessThan(before * 0.8);
        assertThat(report.at("/validation/accuracy").doubleValue()).isGreaterThan(0.6);

        String[] predict = {
            System.getProperty("java.home") + "/bin/java",
            "-cp",
            System.getProperty("java.class.path"),
            "dev.graft.cli.Graft",
            "predict",
            "--model",
            TINY_BERT,
            "--adapter",
            out.resolve("adapter").toString(),
            "--text",
            "cat cat cat 1",
            "--dtype",
            "fp32",
            "--json"
        };
        Process fresh = new ProcessBuilder(predict)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        String answer = new String(fresh.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(fresh.waitFor(60, TimeUnit.SECONDS)).isTrue();

        Cli here = Cli.run(
                "predict",
                "--model",
                TINY_BERT,
                "--adapter",
                out.resolve("adapter"),
                "--text",
                "cat cat cat 1",
                "--dtype",
                "fp32",
                "--json");
        assertThat(answer).isEqualTo(here.out());
        assertThat(here.json().get("probabilities").propertyNames()).containsExactly("cat", "dog", "red");
    }

    @Test
    void evalGivesTheScoresThatTheRunReported() {
        Path valid = data.resolveSibling("valid.jsonl");
        writeText(valid, classes(30).replace(" 1\"", " 5\""));
        assertThat(train("epochs=1", "data.valid=" + valid).code()).isZero();

        Cli scored = Cli.run(
                "eval",
                "--model",
                TINY_BERT,
                "--adapter",
                out.resolve("adapter"),
                "--data",
                valid,
                "--dtype",
                "fp32",
                "--json");

        JsonNode reported = report().get("validation");
        assertThat(scored.code()).as(scored.err()).isZero();
        assertThat(scored.json().get("rows").intValue()).isEqualTo(30);
        for (String metric : List.of("loss", "accuracy", "macro_f1")) {
            assertThat(scored.json().get(metric).doubleValue())
                    .as(metric)
                    .isCloseTo(reported.get(metric).doubleValue(), within(1e-5));
        }
        assertThat(scored.json().at("/intervals/accuracy").size()).isEqualTo(2);
    }

    @Test
    void aFinishedRunIsNotTrainedAgainAndAnotherConfigIsRefused() throws IOException {
        assertThat(train("epochs=1").code()).isZero();
        byte[] adapter = Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors"));

        Cli again = train("epochs=1");
        Cli other = train("epochs=1", "lr=1e-4");

        assertThat(again.code()).as(again.err()).isZero();
        assertThat(again.err()).contains("Resuming at step 3 of 3");
        assertThat(Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors")))
                .isEqualTo(adapter);
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("learning_rate was 0.001 and is now 0.0001");
    }

    @Test
    void aRunResumedFromItsFirstEpochEndsWithTheSameBits() throws IOException {
        assertThat(train("epochs=2", "save_total_limit=5").code()).isZero();
        byte[] whole = Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors"));
        Path first = out.resolve("checkpoint-3");
        out = folder.resolve("resumed");

        Cli resumed = train("epochs=2", "resume=" + first);

        assertThat(resumed.code()).as(resumed.err()).isZero();
        assertThat(resumed.err()).contains("Resuming at step 3 of 6");
        assertThat(Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors")))
                .isEqualTo(whole);
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    void anInterruptedRunGoesOnFromItsCheckpoint(String signal, int code) throws Exception {
        Process child = new ProcessBuilder(
                        System.getProperty("java.home") + "/bin/java",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.graft.cli.Graft",
                        "train",
                        "--model",
                        TINY_BERT,
                        "--data",
                        data.toString(),
                        "--dtype",
                        "fp32",
                        "--output-dir",
                        out.toString(),
                        "epochs=100000",
                        "logging_steps=1",
                        "save_steps=1000000")
                .redirectErrorStream(true)
                .start();
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            String line = lines.readLine();
            while (line != null && !line.startsWith("step 3/")) {
                line = lines.readLine();
            }
            assertThat(line).isNotNull();
            new ProcessBuilder("kill", "-" + signal, Long.toString(child.pid()))
                    .start()
                    .waitFor();
            assertThat(lines.lines()).anyMatch(text -> text.startsWith("Interrupted at step "));
        }
        assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(child.exitValue()).isEqualTo(code);
        assertThat(out.resolve("adapter")).doesNotExist();
        try (Stream<Path> files = Files.list(out)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .anyMatch(name -> name.startsWith("checkpoint-"));
        }
    }

    @Test
    void theResolvedConfigGivesTheSameRun() throws IOException {
        assertThat(train("epochs=1", "seed=3").code()).isZero();
        byte[] adapter = Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors"));
        Path again = folder.resolve("again");

        Cli run = Cli.run("train", out.resolve("config.yaml"), "output_dir=" + again);

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(Files.readAllBytes(again.resolve("adapter/adapter_model.safetensors")))
                .isEqualTo(adapter);
    }

    @Test
    void aDryRunShowsThePlanAndTouchesNothing() throws IOException {
        Cli run = train("--dry-run", "epochs=2", "batch_size=8");

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out())
                .contains("24 steps of 1 x 8 rows, 12 a pass over the rows")
                .contains("tried the batch that needs most: 8 rows of ")
                .contains("label cat (0)")
                .contains("[CLS]");
        assertThat(out).doesNotExist();
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(data);
        }
    }

    @Test
    void aDryRunOfAChatMarksWhatIsLearnt() throws IOException {
        Path model = TinyLlama.write(folder.resolve("llama"));
        Path chat = folder.resolve("chat.jsonl");
        Files.writeString(
                chat,
                "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}, {\"role\": \"assistant\", \"content\": \"ahoy\"}]}\n");

        Cli run = Cli.run("train", "--model", model, "--data", chat, "--dry-run", "--output-dir", out);

        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n⟦ahoy<|im_end|>");
    }

    @Test
    void aCausalModelLearnsCompletionsAndIsScoredBetterThanItsFrozenBase() throws IOException {
        Path model = TinyLlama.write(folder.resolve("llama"));
        data = Files.writeString(
                folder.resolve("c.jsonl"), "{\"prompt\": \"abc\", \"completion\": \" xyz\"}\n".repeat(16));
        Cli run = Cli.run(
                "train",
                "--model",
                model,
                "--data",
                data,
                "--output-dir",
                out,
                "--dtype",
                "fp32",
                "epochs=20",
                "batch_size=4",
                "lr=1e-2",
                "--json");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.json().get("task").stringValue()).isEqualTo("CAUSAL_LM");
        Path adapter = out.resolve("adapter");

        Cli frozen = Cli.run("eval", "--model", model, "--data", data, "--dtype", "fp32", "--json");
        Cli tuned =
                Cli.run("eval", "--model", model, "--adapter", adapter, "--data", data, "--dtype", "fp32", "--json");
        Cli completed = Cli.run(
                "predict",
                "--model",
                model,
                "--adapter",
                adapter,
                "--data",
                data,
                "--max-new-tokens",
                3,
                "--dtype",
                "fp32",
                "--json");

        assertThat(tuned.json().get("loss").doubleValue())
                .isLessThan(0.7 * frozen.json().get("loss").doubleValue());
        assertThat(tuned.json().get("perplexity").doubleValue())
                .isCloseTo(Math.exp(tuned.json().get("loss").doubleValue()), within(1e-6));
        assertThat(completed.out().lines())
                .hasSize(16)
                .allMatch(line ->
                        Json.parse("line", line).get("prompt").stringValue().equals("abc"));
    }
}
