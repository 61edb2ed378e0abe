package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** Encoder-decoders from the command line: trained, scored, asked, merged. */
class AnsweringTest {
    private static final Path T5 = Cli.base("t5");
    private static final String[] WORDS = {"cat", "dog", "red", "big", "sun", "sea"};

    @TempDir
    private Path folder;

    private Path data;
    private Path out;

    @BeforeEach
    void rows() throws IOException {
        data = write("{\"prompt\": \"%s %s\", \"completion\": \"%s\"}");
        out = folder.resolve("out");
    }

    /** The answer is the second of two words. */
    private Path write(String form) throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 60; i++) {
            String second = WORDS[i / 6 % 6];
            rows.append(form.formatted(WORDS[i % 6], second, second)).append('\n');
        }
        return Files.writeString(folder.resolve("rows.jsonl"), rows);
    }

    private Cli train(Object... more) {
        List<Object> words = new ArrayList<>(List.of(
                "train", "--model", T5, "data.train=" + data, "--dtype", "fp32", "--output-dir", out, "report_to=csv"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private JsonNode eval(Object... more) {
        List<Object> words =
                new ArrayList<>(List.of("eval", "--model", T5, "--data", data, "--dtype", "fp32", "--json"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray()).json();
    }

    @Test
    void aTrainedModelAnswersAsItsExactMatchSays() {
        Cli run = train("--epochs", 8, "lr=2e-2", "batch_size=6");
        assertThat(run.code()).as(run.err()).isZero();
        Path adapter = out.resolve("adapter");
        assertThat(Json.read(adapter.resolve("adapter_config.json"))
                        .get("task_type")
                        .stringValue())
                .isEqualTo("SEQ_2_SEQ_LM");

        JsonNode before = eval();
        JsonNode after = eval("--adapter", adapter);
        assertThat(after.get("loss").doubleValue())
                .isLessThan(before.get("loss").doubleValue() * 0.7);
        assertThat(after.get("perplexity").doubleValue())
                .isCloseTo(Math.exp(after.get("loss").doubleValue()), within(1e-6));

        String[] answers = Cli.run("predict", "-m", T5, "-a", adapter, "--data", data, "--dtype", "fp32", "--json")
                .out()
                .split("\n");
        int equal = 0;
        for (int i = 0; i < answers.length; i++) {
            JsonNode answer = Json.parse("answer " + i, answers[i]);
            boolean ended = answer.get("finish_reason").stringValue().equals("end_token");
            equal += ended && answer.get("completion").stringValue().equals(WORDS[i / 6 % 6]) ? 1 : 0;
        }
        assertThat(after.get("exact_match").doubleValue()).isPositive().isEqualTo(equal / 60.0);

        Path merged = folder.resolve("merged");
        JsonNode merge = Cli.run("merge", "-m", T5, "-a", adapter, "--out", merged, "--json")
                .json();
        assertThat(merge.get("merged_max_diff").doubleValue()).isLessThan(1e-4);
        Cli own = Cli.run("generate", "-m", merged, "-p", "cat dog", "--dtype", "fp32", "--json");
        Cli adapted = Cli.run("generate", "-m", T5, "-a", adapter, "-p", "cat dog", "--dtype", "fp32", "--json");
        assertThat(own.json().get("ids")).isEqualTo(adapted.json().get("ids"));
    }

    @ParameterizedTest
    @CsvSource({"lora", "prompt-tuning", "prefix-tuning", "ia3"})
    void everyKindOfMethodTrainsAndLoads(String method) {
        Cli run = train("--method", method, "max_steps=4");
        assertThat(run.code()).as(run.err()).isZero();
        Cli answer = Cli.run("predict", "-m", T5, "-a", out.resolve("adapter"), "-t", "cat dog", "--max-new-tokens", 4);
        assertThat(answer.code()).as(answer.err()).isZero();
    }

    @Test
    void aRunThatWasCutShortGoesOnAsIfItHadNotBeen() throws IOException {
        assertThat(train("max_steps=8", "save_steps=4").code()).isZero();
        byte[] whole = Files.readAllBytes(out.resolve("adapter/adapter_model.safetensors"));
        Path checkpoint = out.resolve("checkpoint-4");
        out = folder.resolve("cut");
        Cli run = train("max_steps=8", "save_steps=4", "resume=" + checkpoint);
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(out.resolve("adapter/adapter_model.safetensors")).hasBinaryContent(whole);
    }

    @ParameterizedTest
    @CsvSource({"input,target", "source,target", "text,text_pair"})
    void rowsMayNameTheirSidesAsOtherToolsDo(String source, String target) throws IOException {
        data = write("{\"" + source + "\": \"%s %s\", \"" + target + "\": \"%s\"}");
        Cli run = train("--dry-run", "true");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("cat cat</s>\n<pad>⟦cat</s>⟧");
    }

    @Test
    void answersLongerThanTheLimitAreLeftOutOrCut() throws IOException {
        data = Files.writeString(
                folder.resolve("long.jsonl"),
                "{\"prompt\": \"cat\", \"completion\": \"%s\"}\n{\"prompt\": \"cat\", \"completion\": \"dog\"}\n"
                        .formatted("dog ".repeat(20)));
        assertThat(train("--dry-run", "true", "max_seq_length=10").out())
                .contains("1 row longer than 10 tokens were left out");
        assertThat(train("--dry-run", "true", "max_seq_length=10", "overflow=truncate")
                        .out())
                .contains("1 row longer than 10 tokens were cut")
                .doesNotContain("dog dog</s>⟧");
    }

    @ParameterizedTest
    @CsvSource({
        "task=classify, but training needs rows such as",
        "task=causal, t5 has no head for CAUSAL_LM",
        "loss_on=all, loss_on belongs to causal models",
        "problem_type=regression, which have no label"
    })
    void whatDoesNotFitAnEncoderDecoderIsRefused(String setting, String complaint) {
        Cli run = train(setting);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains(complaint);
    }

    @Test
    void labelledRowsAreNoAnswers() throws IOException {
        data = write("{\"text\": \"%s %s\", \"label\": \"%s\"}");
        Cli run = train("task_type=SEQ_2_SEQ_LM");
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("fine-tuning an encoder-decoder needs rows such as");
    }
}
