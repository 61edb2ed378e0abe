package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import dev.graft.train.checkpoints.RunLock;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class TrainCommandTest {
    private static final String TINY_BERT = "file:" + Cli.base("bert-base");

    @TempDir
    private Path folder;

    private Path data;
    private Path out;

    @BeforeEach
    void rows() throws IOException {
        data = Files.writeString(folder.resolve("rows.jsonl"), classes(96));
        out = folder.resolve("out");
    }

    /** The label is the word that the text repeats, which even a tiny model can learn. */
    private static String classes(int count) {
        String[] words = {"cat", "dog", "red"};
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < count; i++) {
            String word = words[i % 3];
            rows.append("{\"text\": \"")
                    .append((word + " ").repeat(2 + i / 3 % 4))
                    .append(i % 7);
            rows.append("\", \"label\": \"").append(word).append("\"}\n");
        }
        return rows.toString();
    }

    private Cli train(Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train",
                "--model",
                TINY_BERT,
                "--data",
                data,
                "--method",
                "lora",
                "--dtype",
                "fp32",
                "--output-dir",
                out));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private JsonNode report() {
        return Json.read(out.resolve("report.json"));
    }

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

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lr=NaN | learning_rate",
                "epohcs=2 | did you mean epochs?",
                "lora.rnak=2 | rnak",
                "metric=accuracy | there are no validation rows",
                "early_stopping_patience=2 | there are no validation rows",
                "data.valid_fraction=0.3 metric=acuracy | no metric \"acuracy\" here, expected one of accuracy",
                "loss_on=all | a classifier has one answer a row",
                "task=causal | fine-tuning a causal model needs rows such as",
                "max_seq_length=9999 | takes at most",
                "data.format=csv | is JSONL",
                "data.text_field=review | columns maps text to review",
                "max_time=30s | leaves the number of steps open",
                "hidden_dropout=1.5 | hidden_dropout",
                "resume=nowhere | resume is nowhere: no such folder",
                "overwrite_output_dir=true resume=x | keep one of them"
            })
    void whatCannotBeHonouredIsRefused(String words, String message) {
        Cli run = train((Object[]) words.split(" ", -1));

        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(message);
        assertThat(out).doesNotExist();
    }

    /** There is neither such a base nor such a file, so whoever looked for them first would say that. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "lora.rnak=2 | unknown field",
                "lora.init_lora_weights=nonsense | expected one of true, false, gaussian",
                "lora.layers=some | expected a range such as 2-5",
                "method=ia3 ia3.r=4 | unknown field",
                "optimizer_kwargs={reg: 1} | It is no option of optimizer adamw",
                "optimizer=lbfgs max_grad_norm=1 | max_grad_norm is 1.0; set it to 0",
                "lr_scheduler_kwargs={power: 2} | lr_scheduler linear has no option power",
                "lr_scheduler=polynomial lr_scheduler_kwargs={lr_end: 7} | must be below learning_rate",
                "learning_rate=1000 | at most 100.0",
                "max_loss_spike=0.5 | max_loss_spike is 0.5",
                "parameter_groups={(: {learning_rate: 1}} | is not a regular expression",
                "max_time=30s | leaves the number of steps open",
                "task=tag packing=true | only rows of causal models can be packed",
                "cache_frozen_layers=true packing=true | leave one of them out",
                "auto_freeze_steps=3 | auto_freeze is not set",
                "task=causal stride=3 | only texts that questions are on",
                "task=causal mask_share=0.3 | nothing is masked",
                "task=classify loss_on=all | a classifier has one answer a row",
                "task=orpo preference.loss=ipo | preference.loss has no meaning for task orpo; set task=dpo",
                "task=kto batch_size=1 | KTO compares",
                "distillation.temperature=3 | there is no teacher",
                "data.task_field=topic | lora knows one task",
                "data.columns={txt: a} | data.columns maps txt"
            })
    void whatNoBaseAndNoRowsCouldMakeRightIsRefusedBeforeAnyAreReadOrFetched(String words, String message) {
        Path nowhere = folder.resolve("nowhere.jsonl");

        assertThat(refusedWithoutABase(nowhere, words).err()).contains(message);
        assertThat(refusedWithoutABase(nowhere, words + " dry_run=true").err()).contains(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "eval_steps=5 | there are no validation rows",
                "metric=acuracy data.valid_fraction=0.3 | no metric \"acuracy\" here",
                "lr_scheduler=reduce_lr_on_plateau | give validation rows",
                "packing=true | only rows of causal models can be packed",
                "preference.beta=0.1 | no meaning where the rows are classification; set task=dpo (rows with chosen, rejected) or",
                "task=causal | fine-tuning a causal model needs rows such as",
                "task=mask overflow=drop | long texts are read in windows"
            })
    void whatTheRowsForbidIsRefusedBeforeABaseIsFetched(String words, String message) {
        assertThat(refusedWithoutABase(data, words).err()).contains(message);
    }

    private Cli refusedWithoutABase(Path rows, String words) {
        List<Object> all = new ArrayList<>(
                List.of("train", "--model", "file:" + folder.resolve("nowhere"), "--data", rows, "--output-dir", out));
        all.addAll(List.of((Object[]) words.split(" (?=[a-z0-9_.]+=)")));
        Cli run = Cli.run(all.toArray());
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(out).doesNotExist();
        return run;
    }

    @Test
    void aFolderThatCanNotBeMadeIsToldBeforeTheBaseIsFetched() {
        Cli run = Cli.run(
                "train", "--model", "file:" + folder.resolve("nowhere"), "--data", data, "output_dir=" + data + "/out");

        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("cannot make the folder " + data + "/out")
                .contains("Not a directory");
        Path deep = folder.resolve("a/b/c");
        assertThat(Cli.run(
                                "train",
                                "--model",
                                "file:" + folder.resolve("nowhere"),
                                "--data",
                                data,
                                "output_dir=" + deep)
                        .err())
                .contains("nowhere");
        assertThat(folder.resolve("a")).doesNotExist();
    }

    @Test
    void dropoutThatAnArchitectureLacksIsRefused() throws IOException {
        Path model = TinyLlama.write(folder.resolve("llama"));
        Path prompts =
                Files.writeString(folder.resolve("p.jsonl"), "{\"prompt\": \"abc\", \"completion\": \" xyz\"}\n");

        Cli run = Cli.run("train", "--model", model, "--data", prompts, "--output-dir", out, "hidden_dropout=0.1");

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("hidden_dropout is 0.1, but llama has no such dropout");
    }

    @Test
    void anUnknownMethodIsRefusedWithTheNearest() {
        Cli run = Cli.run("train", "--model", TINY_BERT, "--data", data, "--method", "lorra", "--output-dir", out);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("did you mean lora?");
    }

    @Test
    void aRowWithoutALabelIsNamed() throws IOException {
        Files.writeString(data, classes(3) + "{\"text\": \"no label\"}\n");

        Cli run = train();

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("rows.jsonl:4").contains("label");
    }

    @Test
    void aLabelThatTheAdapterDoesNotKnowIsNamed() throws IOException {
        assertThat(train("epochs=1").code()).isZero();
        Path other = folder.resolve("other.jsonl");
        Files.writeString(other, "{\"text\": \"cat\", \"label\": \"cat\"}\n{\"text\": \"hen\", \"label\": \"hen\"}\n");

        Cli run = Cli.run("eval", "--model", TINY_BERT, "--adapter", out.resolve("adapter"), "--data", other);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("other.jsonl:2: the label hen is not one of the 3 labels");
    }

    @Test
    void aFolderWithOtherFilesIsRefusedAndReplacingLeavesThem() throws IOException {
        Files.createDirectories(out);
        Path mine = Files.writeString(out.resolve("notes.txt"), "mine");

        Cli refused = train("epochs=1");
        Cli replaced = train("epochs=1", "overwrite_output_dir=true");

        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("holds notes.txt, but no checkpoint");
        assertThat(replaced.code()).as(replaced.err()).isZero();
        assertThat(mine).hasContent("mine");
    }

    @Test
    void aFolderThatAnotherRunUsesIsRefused() {
        try (RunLock held = RunLock.acquire(out)) {
            Cli run = train("epochs=1");
            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err()).contains("is in use by another run");
        }
    }

    @Test
    void predictNeedsSomethingToPredictAndATrainedHead() {
        assertThat(Cli.run("predict", "--model", TINY_BERT).err()).contains("give --text, --image or --data");
        Cli headless = Cli.run("predict", "--model", TINY_BERT, "--task", "seq_cls", "--text", "cat");
        assertThat(headless.code()).isEqualTo(2);
        assertThat(headless.err()).contains("has no trained head for SEQ_CLS");
    }

    private static void writeText(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
