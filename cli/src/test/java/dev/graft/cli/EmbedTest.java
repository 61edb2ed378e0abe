package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Embeddings from the command line: trained, scored, predicted, merged. */
class EmbedTest {
    private static final Path MODEL = Cli.base("bert-base");

    @TempDir
    private Path folder;

    private Path file(String name, String... lines) throws IOException {
        return Files.writeString(folder.resolve(name), String.join("\n", lines) + "\n");
    }

    private Path pairs() throws IOException {
        return file(
                "pairs.jsonl",
                "{\"anchor\": \"the tree\", \"positive\": \"tent on\"}",
                "{\"anchor\": \"we test\", \"positive\": \"is the\"}",
                "{\"anchor\": \"on the tent\", \"positive\": \"tree\"}",
                "{\"anchor\": \"is it on\", \"positive\": \"we we we\"}");
    }

    private static JsonNode last(String out) {
        List<String> lines = out.lines().toList();
        return Json.parse("the last line", lines.get(lines.size() - 1));
    }

    private static Cli run(Object... words) {
        Cli run = Cli.run(words);
        assertThat(run.code()).as(run.err()).isZero();
        return run;
    }

    /** The words of a training run. */
    private Object[] words(Path data, Object... more) {
        return Stream.concat(
                        Stream.of("train", "--model", MODEL, "--data", data, "--output-dir", folder.resolve("out")),
                        Stream.of(more))
                .toArray();
    }

    private Path train(Path data, Object... more) {
        Object[] options = {
            "--task", "embed", "--method", "lora", "epochs=40", "batch_size=4", "learning_rate=1e-2", "dtype=fp32"
        };
        run(words(data, Stream.concat(Stream.of(options), Stream.of(more)).toArray()));
        return folder.resolve("out/adapter");
    }

    private static JsonNode eval(Path data, Object... more) {
        Object[] words = {"eval", "--model", MODEL, "--data", data, "--task", "embed", "--json", "--dtype", "fp32"};
        return last(
                run(Stream.concat(Stream.of(words), Stream.of(more)).toArray()).out());
    }

    @ParameterizedTest
    @ValueSource(strings = {"full-fine-tuning", "bitfit", "layerwise"})
    void parametersOfTheBaseAreLearntWithoutThePooler(String method) throws IOException {
        Path data = pairs();
        run(words(data, "--task", "embed", "--method", method, "learning_rate=1e-3", "dtype=fp32"));
        assertThat(folder.resolve("out/adapter/adapter_model.safetensors"))
                .content(StandardCharsets.ISO_8859_1)
                .contains("attention")
                .doesNotContain("pooler");
        assertThat(eval(data, "--adapter", folder.resolve("out/adapter"))
                        .path("ndcg@10")
                        .doubleValue())
                .isPositive();
    }

    @Test
    void pairsAreLearntScoredPredictedAndMerged() throws IOException {
        Path data = pairs();
        double before = eval(data).path("ndcg@10").doubleValue();
        Path adapter = train(data, "embedding.sizes=[32,16]");
        assertThat(folder.resolve("out/report.json")).content().contains("\"task\": \"FEATURE_EXTRACTION\"");
        JsonNode after = eval(data, "--adapter", adapter);
        assertThat(after.path("ndcg@10").doubleValue()).isEqualTo(1).isGreaterThan(before);
        assertThat(after.path("mrr@10").doubleValue()).isEqualTo(1);
        assertThat(after.path("recall@10").doubleValue()).isEqualTo(1);

        Path texts = file("texts.jsonl", "{\"text\": \"the tree\"}", "{\"text\": \"we test\"}");
        Cli adapted = Cli.run(
                "predict", "--model", MODEL, "--adapter", adapter, "--data", texts, "--json", "--dtype", "fp32");
        assertThat(adapted.code()).as(adapted.err()).isZero();
        Path merged = folder.resolve("merged");
        Cli merge = Cli.run("merge", "--model", MODEL, "--adapter", adapter, "--out", merged);
        assertThat(merge.code()).as(merge.err()).isZero();
        Cli whole =
                Cli.run("predict", "--model", merged, "--task", "embed", "--data", texts, "--json", "--dtype", "fp32");
        assertThat(whole.code()).as(whole.err()).isZero();
        JsonNode first = last(adapted.out()).path("embedding");
        JsonNode second = last(whole.out()).path("embedding");
        assertThat(first.size()).isEqualTo(32);
        double length = 0;
        for (int i = 0; i < first.size(); i++) {
            length += first.get(i).doubleValue() * first.get(i).doubleValue();
            assertThat(second.get(i).doubleValue()).isCloseTo(first.get(i).doubleValue(), offset(1e-5));
        }
        assertThat(length).isCloseTo(1, offset(1e-5));
    }

    @Test
    void similaritiesAreLearntAndScored() throws IOException {
        Path data = file(
                "scored.csv",
                "sentence1,sentence2,score",
                "the tree,tent on,0.9",
                "we test,is the,0.1",
                "on the tent,tree,0.5",
                "is it on,we we we,0.3");
        Path adapter = train(data);
        assertThat(eval(data, "--adapter", adapter).path("spearman").doubleValue())
                .isGreaterThan(0.9);
    }

    @Test
    void optionsAndRowsOfOtherTasksAreRefused() throws IOException {
        Path data = pairs();
        Cli smoothed = Cli.run(words(data, "label_smoothing=0.1"));
        assertThat(smoothed.err()).contains("label_smoothing has no meaning for task embed; leave it out");
        Cli chats = Cli.run(words(file("chat.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}"), "--task", "embed"));
        assertThat(chats.err()).contains("the rows are prompt and completion, but an embedding needs rows such as");
        Cli margin = Cli.run(words(data, "--task", "classify", "embedding.margin=1"));
        assertThat(margin.err())
                .contains(
                        "embedding.margin has no meaning for task classify; set task=embed (rows with anchor, positive;"
                                + " or text, text_pair, score), or leave it out");
    }
}
