package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Runs that train on from an adapter. */
class InitialAdapterTest {
    @TempDir
    private static Path folder;

    private static Path first;

    @BeforeAll
    static void trainFirst() throws IOException {
        rows("rows.jsonl", "cat", "dog", "red");
        rows("others.jsonl", "cat", "dog");
        Cli run = train("first", "rows.jsonl", "lora.r=4", "lora.target_modules=[query,value]");
        assertThat(run.code()).as(run.err()).isZero();
        first = folder.resolve("first/adapter");
    }

    private static void rows(String name, String... words) throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 48; i++) {
            String word = words[i % words.length];
            rows.append(
                    "{\"text\": \"%s %d\", \"label\": \"%s\"}%n".formatted((word + " ").repeat(2 + i % 4), i, word));
        }
        Files.writeString(folder.resolve(name), rows);
    }

    private static Cli train(String out, String rows, Object... more) {
        return trainOn("bert-base", out, rows, more);
    }

    private static Cli trainOn(String base, String out, String rows, Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train",
                "--model",
                "file:" + Cli.base(base),
                "--dtype",
                "fp32",
                "--data",
                folder.resolve(rows),
                "data.valid=" + folder.resolve(rows),
                "--output-dir",
                folder.resolve(out),
                "--max-steps",
                "4"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private static JsonNode report(String out) {
        return Json.read(folder.resolve(out).resolve("report.json"));
    }

    @Test
    void beginsWhereTheOtherRunEnded() {
        Cli run = train("second", "rows.jsonl", "init_adapter=" + first);

        assertThat(run.code()).as(run.err()).isZero();
        double end = report("first").at("/validation/loss").doubleValue();
        assertThat(report("second").at("/before/loss").doubleValue()).isCloseTo(end, within(1e-5));
        assertThat(report("second").at("/validation/loss").doubleValue()).isLessThan(end);
        JsonNode config = Json.read(folder.resolve("second/adapter/adapter_config.json"));
        assertThat(config).isEqualTo(Json.read(first.resolve("adapter_config.json")));
    }

    @Test
    void optionsThatTheAdapterHasAreTakenAndTheSameRunIsResumed() {
        Object[] options = {"init_adapter=" + first, "lora.r=4", "lora.target_modules=[query,value]"};
        assertThat(train("same", "rows.jsonl", options).code()).isZero();
        assertThat(train("same", "rows.jsonl", options).code()).isZero();

        Cli other = train("same", "rows.jsonl", "init_adapter=" + folder.resolve("same/adapter"));
        assertThat(other.code()).isEqualTo(2);
        assertThat(other.err()).contains("cannot be resumed").contains("initial_sha256");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "rows.jsonl | lora.r=8 | r is 4 and not 8",
                "rows.jsonl | method=dora | is lora, but method is dora; set method=lora",
                "others.jsonl | seed=1 | has the classes cat, dog, red, but the rows have cat, dog"
            })
    void whatDoesNotFitIsRefused(String rows, String option, String message) {
        Cli run = train("refused", rows, "init_adapter=" + first, option);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(message);
        assertThat(folder.resolve("refused")).doesNotExist();
    }

    /** As PEFT writes one. */
    @Test
    void classesWithoutNamesAreTakenInTheirOrder() throws IOException {
        Path unnamed = Files.createDirectories(folder.resolve("unnamed"));
        for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            Files.copy(first.resolve(file), unnamed.resolve(file));
        }
        Cli run = train("named", "rows.jsonl", "init_adapter=" + unnamed);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.err()).contains("doesn't name its classes; they are taken for cat, dog, red in this order");
        assertThat(report("named").at("/before/loss").doubleValue())
                .isCloseTo(report("first").at("/validation/loss").doubleValue(), within(1e-5));

        Cli fewer = train("fewer", "others.jsonl", "init_adapter=" + unnamed);
        assertThat(fewer.code()).isEqualTo(2);
        assertThat(fewer.err()).contains("has the classes LABEL_0, LABEL_1, LABEL_2, but the rows have cat, dog");
    }

    @Test
    void anAdapterIsNotReplacedByItsOwnRun() {
        Cli run = train("first", "rows.jsonl", "init_adapter=" + first, "overwrite_output_dir=true");

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("choose another output_dir");
        assertThat(first.resolve("adapter_model.safetensors")).exists();
    }

    @Test
    void anAdapterWithoutTheHeadIsRefused() throws IOException {
        Files.writeString(folder.resolve("texts.jsonl"), "{\"text\": \"cat dog red cat dog\"}\n".repeat(8));
        Cli run = trainOn("bert-mlm", "bare", "texts.jsonl", "task=mask", "lora.target_modules=[query,value]");
        assertThat(run.code()).as(run.err()).isZero();

        Cli refused = trainOn("bert-mlm", "headless", "rows.jsonl", "init_adapter=" + folder.resolve("bare/adapter"));
        assertThat(refused.code()).isEqualTo(2);
        assertThat(refused.err()).contains("has no head for SEQ_CLS");
    }

    /** One with a rule of its own for each step, others in files of other kinds. */
    @ParameterizedTest
    @ValueSource(strings = {"adalora", "dora", "ia3", "prefix-tuning", "vera", "pfeiffer"})
    void methodsGoOn(String method) {
        assertThat(train(method, "rows.jsonl", "method=" + method).code()).isZero();

        Cli run = train(
                method + "-on",
                "rows.jsonl",
                "method=" + method,
                "init_adapter=" + folder.resolve(method).resolve("adapter"));
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(report(method + "-on").at("/before/loss").doubleValue())
                .isCloseTo(report(method).at("/validation/loss").doubleValue(), within(1e-4));
    }
}
