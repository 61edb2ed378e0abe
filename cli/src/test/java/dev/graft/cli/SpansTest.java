package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Words are tagged and questions answered from the command line: trained, scored, predicted. */
class SpansTest {
    @TempDir
    private Path folder;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private Cli run(String command, String model, Object... more) {
        List<Object> words =
                new ArrayList<>(List.of(command, "--model", Cli.FIXTURES.resolve("bases/" + model), "--dtype", "fp32"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private Cli train(String model, Path data, Object... more) {
        List<Object> words = new ArrayList<>(
                List.of("--data.train", data, "--data.valid", data, "--output-dir", folder.resolve("out"), "lr=1e-2"));
        words.addAll(List.of(more));
        return run("train", model, words.toArray());
    }

    @Test
    void wordsAreTagged() throws IOException {
        Path data = file("train.conll", "the O\ntree B-T\nline I-T\n\ntest B-T\nis O\nthe O\n\n".repeat(8));
        Cli dry = train("bert-base", data, "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("CoNLL columns, words with tags, fields tokens,tags, 3 tags, 16 rows");
        assertThat(dry.out()).contains("the/O").contains("test/B-T is/O the/O [SEP]");
        Cli run = train("bert-base", data, "epochs=6", "batch_size=4", "metric=f1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("f1 1").contains("tag_accuracy");
        Path adapter = folder.resolve("out/adapter");
        Cli eval = run("eval", "bert-base", "--adapter", adapter, "--data", data);
        assertThat(eval.code()).as(eval.err()).isZero();
        assertThat(eval.out()).containsPattern("f1 +1\\.0000 +1\\.0000 +1\\.0000");
        Cli text = run("predict", "bert-base", "--adapter", adapter, "--text", "the tree line");
        assertThat(text.out()).isEqualTo("the/O tree/B-T line/I-T\n");
        Path bare = file("words.jsonl", "{\"tokens\": [\"the\", \"tree\", \"line\"]}\n");
        Cli words = run("predict", "bert-base", "--adapter", adapter, "--data", bare, "--json");
        JsonNode json = Json.parse("out", words.out());
        assertThat(Json.compact(json.get("entities")))
                .isEqualTo("[{\"type\":\"T\",\"text\":\"tree line\",\"from\":1,\"to\":3}]");
        assertThat(json.get("probabilities").get(1).asDouble()).isBetween(0.5, 1.0);
    }

    @Test
    void answersAreFoundInLongTextsByWindows() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            String before = "the ".repeat(i * 3);
            rows.append("{\"question\": \"is\", \"context\": \"")
                    .append(before)
                    .append("test the\", \"answers\": {\"text\": [\"test\"], \"answer_start\": [")
                    .append(before.length())
                    .append("]}}\n");
        }
        Path data = file("squad.jsonl", rows.toString());
        Cli dry = train("bert-base", data, "--dry-run", "max_seq_length=16", "stride=4");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("longer than 16 tokens became several");
        assertThat(dry.out()).contains("answer \"test\"");
        Cli run = train("bert-base", data, "max_seq_length=16", "epochs=10", "metric=f1");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("f1 100").contains("exact_match 100");
        Path adapter = folder.resolve("out/adapter");
        Cli eval = run("eval", "bert-base", "--adapter", adapter, "--data", data, "--max-seq-length", "16");
        assertThat(eval.out()).containsPattern("exact_match +100\\.0000");
        Cli found = run(
                "predict",
                "bert-base",
                "--adapter",
                adapter,
                "--question",
                "is",
                "--text",
                "the the test the",
                "--json");
        JsonNode json = Json.parse("out", found.out());
        assertThat(json.get("answer").asString()).isEqualTo("test");
        assertThat(json.get("from").asInt()).isEqualTo(8);
    }

    @Test
    void whatDoesNotFitIsRefused() throws IOException {
        Path tags = file("tags.conll", "the O\ntree B-T\n\nline O\n");
        Path questions = file(
                "q.jsonl",
                "{\"question\": \"is\", \"context\": \"the test\", \"answers\": {\"text\": [], \"answer_start\": []}}\n");
        refused("but training needs rows such as", tags, "task=classify");
        refused("the key \"question\" is missing", tags, "task=answer");
        refused("problem_type is multi_label", tags, "problem_type=multi_label");
        refused("stride is 3, but only texts", tags, "stride=3");
        refused("overflow is drop, but long texts are read in windows", questions, "overflow=drop");
        refused("loss_on is all", questions, "loss_on=all");
        Cli bare = run("predict", "bert-base", "--task", "token_cls", "--text", "a");
        assertThat(bare.err()).contains("has no trained head for TOKEN_CLS");
        Cli two = run("predict", "bert-qa", "--question", "is");
        assertThat(two.err()).contains("nothing to predict").doesNotContain("Exception");
        assertThat(run("predict", "bert-qa", "--text", "a").err()).contains("but a question and its text are needed");
    }

    private void refused(String message, Path data, Object... more) {
        Cli run = train("bert-base", data, more);
        assertThat(run.code()).as(run.err()).isEqualTo(2);
        assertThat(run.err()).contains(message);
    }
}
