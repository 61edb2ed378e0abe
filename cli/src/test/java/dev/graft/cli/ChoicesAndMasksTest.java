package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Choosing, filling masks and rewards from the command line: trained, scored, predicted. */
class ChoicesAndMasksTest {
    @TempDir
    private Path folder;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private static Cli run(String command, Object model, Object... more) {
        List<Object> words = new ArrayList<>(List.of(command, "--model", model, "--dtype", "fp32"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private Cli train(Object model, Path data, Object... more) {
        List<Object> words = new ArrayList<>(
                List.of("--data.train", data, "--data.valid", data, "--output-dir", folder.resolve("out"), "lr=1e-2"));
        words.addAll(List.of(more));
        return run("train", model, words.toArray());
    }

    @Test
    void theRightOneOfSeveralTextsIsChosen() throws IOException {
        Path model = Cli.FIXTURES.resolve("bases/bert-base");
        Path data = file(
                "swag.csv",
                "sent1,ending0,ending1,ending2,label\n"
                        + "the tree,is,on,the tent,2\nthe test,the tent,on,is,0\nwe,on,the tent,is,1\n".repeat(4));
        Cli dry = train(model, data, "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.err()).contains("CSV, questions with choices, fields sent1,ending0,label, 12 rows");
        assertThat(dry.out()).contains("choice 2 is correct").contains("--- or,");
        Cli run = train(model, data, "epochs=10", "batch_size=4", "metric=accuracy");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("accuracy 1");
        Path adapter = folder.resolve("out/adapter");
        try (Safetensors saved = Safetensors.open(adapter.resolve("adapter_model.safetensors"))) {
            assertThat(saved.names()).anyMatch(name -> name.endsWith("classifier.weight"));
        }
        Cli eval = run("eval", model, "--adapter", adapter, "--data", data);
        assertThat(eval.out()).containsPattern("accuracy +1\\.0000");
        Cli chosen = run(
                "predict",
                model,
                "--adapter",
                adapter,
                "--text",
                "we",
                "--choice",
                "is",
                "--choice",
                "the tent",
                "--choice",
                "on",
                "--json");
        assertThat(chosen.code()).as(chosen.err()).isZero();
        JsonNode json = Json.parse("out", chosen.out());
        assertThat(json.get("choice").asInt()).isEqualTo(1);
        assertThat(json.get("probabilities").size()).isEqualTo(3);
        assertThat(run("predict", model, "--adapter", adapter, "--text", "we", "--choice", "is")
                        .err())
                .contains("--choice goes with one --text and another --choice");
    }

    @Test
    void whatStandsBehindMasksIsLearnt() throws IOException {
        Path model = Cli.FIXTURES.resolve("bases/bert-mlm");
        Path data = file("texts.jsonl", "{\"text\": \"the tree is on the tent\"}\n".repeat(16));
        Cli dry = train(model, data, "task=mask", "--dry-run");
        assertThat(dry.code()).as(dry.err()).isZero();
        assertThat(dry.out()).contains("\u27e6");
        Cli run = train(model, data, "task=mask", "mask_share=0.3", "epochs=12", "batch_size=4");
        assertThat(run.code()).as(run.err()).isZero();
        assertThat(run.out()).contains("token_accuracy");
        Path adapter = folder.resolve("out/adapter");
        Cli eval = run("eval", model, "--adapter", adapter, "--data", data);
        assertThat(eval.code()).as(eval.err()).isZero();
        assertThat(eval.out()).contains("perplexity");
        Cli filled = run("predict", model, "--adapter", adapter, "--text", "the tree [MASK] on the tent", "--json");
        JsonNode guesses = Json.parse("out", filled.out()).get("masks").get(0);
        assertThat(guesses).hasSize(5);
        assertThat(guesses.get(0).get("probability").asDouble())
                .isGreaterThan(guesses.get(1).get("probability").asDouble());
        JsonNode report = Json.read(folder.resolve("out/report.json"));
        assertThat(report.get("validation").get("loss").asDouble())
                .isLessThan(0.5 * report.get("before").get("loss").asDouble());
        assertThat(run("predict", model, "--text", "the tree").err()).contains("has no [MASK] to fill");
        assertThat(run("predict", model, "--text", "the tree", "--columns", "{text: review")
                        .err())
                .contains("--columns says which fields of a file");
        assertThat(run("predict", model, "--adapter", folder.resolve("out"), "--text", "the tree")
                        .err())
                .contains("; there is one in " + adapter);
        Path llama = TinyLlama.write(folder.resolve("tiny"));
        Cli causal = train(llama, data, "task=mask");
        assertThat(causal.err()).contains("has no head for MASKED_LM");
        assertThat(train(model, data, "task=mask", "cache_frozen_layers=true").err())
                .contains("cache_frozen_layers is true, but rows are");
        Cli shares = train(llama, data, "mask_share=0.3");
        assertThat(shares.err()).contains("mask_share is 0.3, but nothing is masked");
    }

    @Test
    void aRewardModelSaysWhichAnswerIsBetter() throws IOException {
        Path model = TinyLlama.write(folder.resolve("tiny"));
        Path pairs = file("pairs.jsonl", "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n".repeat(6));
        Cli run = train(model, pairs, "task=reward", "epochs=8", "batch_size=2", "metric=reward_accuracy");
        assertThat(run.code()).as(run.err()).isZero();
        Path adapter = folder.resolve("out/adapter");
        assertThat(run("eval", model, "--adapter", adapter, "--data", pairs).out())
                .containsPattern("reward_accuracy +1\\.0000");
        Path answers = file(
                "answers.jsonl",
                "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\", \"completion\": \"c\"}\n");
        Cli rewards = run("predict", model, "--adapter", adapter, "--data", answers, "--json");
        assertThat(rewards.code()).as(rewards.err()).isZero();
        List<Double> values = rewards.out()
                .lines()
                .map(line -> Json.parse("out", line).get("reward").asDouble())
                .toList();
        assertThat(values.get(0)).isGreaterThan(values.get(1));
        Path asked = file("asked.jsonl", "{\"prompt\": \"a\"}\n");
        assertThat(run("predict", model, "--adapter", adapter, "--data", asked).err())
                .contains("a reward is of an answer, and this one has none");
    }
}
