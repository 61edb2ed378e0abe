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

/** {@code graft eval} reads rows as the run did that made the adapter. */
class ScoredAsTrainedTest {
    private static final String TURN = "{\"role\": \"%s\", \"content\": \"%s\"}";

    @TempDir
    private Path folder;

    private Path model;
    private Path adapter;

    @BeforeEach
    void model() throws IOException {
        model = TinyLlama.write(folder.resolve("tiny"));
        adapter = folder.resolve("out/adapter");
    }

    private Path file(String name, String content) throws IOException {
        return Files.writeString(folder.resolve(name), content);
    }

    private static String talk(String field, String end) {
        return "{\"" + field + "\": [" + TURN.formatted("user", "hello") + ", " + TURN.formatted("assistant", "ahoy")
                + ", " + TURN.formatted("user", "bye") + ", " + TURN.formatted("assistant", end) + "]}\n";
    }

    private Cli run(String command, Object... more) {
        List<Object> words = new ArrayList<>(List.of(command, "--model", model, "--dtype", "fp32"));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    private Cli eval(Object... more) {
        List<Object> words = new ArrayList<>(List.of("--adapter", adapter, "--json"));
        words.addAll(List.of(more));
        return run("eval", words.toArray());
    }

    @Test
    void theTokensThatCountedAndTheLongestRowAreThoseOfTraining() throws IOException {
        Path data = file("talks.jsonl", talk("talk", "so long") + talk("talk", "see you " + "again ".repeat(12)));
        Cli run = run(
                "train",
                "--data",
                data,
                "--data.valid",
                data,
                "--data.columns",
                "{messages: talk}",
                "--loss-on",
                "assistant",
                "--max-seq-length",
                "90",
                "--overflow",
                "truncate",
                "--output-dir",
                folder.resolve("out"),
                "epochs=2",
                "lr=1e-2");
        assertThat(run.code()).as(run.err()).isZero();
        double trained = Json.read(folder.resolve("out/report.json"))
                .at("/validation/loss")
                .doubleValue();

        Cli scored = eval("--data", data);
        assertThat(scored.code()).as(scored.err()).isZero();
        assertThat(scored.json().path("loss").doubleValue()).isCloseTo(trained, within(1e-5));
        assertThat(scored.json().path("loss_on").stringValue()).isEqualTo("assistant");
        assertThat(scored.json().path("max_seq_length").intValue()).isEqualTo(90);
        assertThat(run("eval", "--adapter", adapter, "--data", data).out())
                .contains("2 rows of " + data + ", of at most 90 tokens; every answer counts (loss_on assistant)");

        Cli last = eval("--data", data, "--loss-on", "completion", "--max-seq-length", 160);
        assertThat(last.json().path("loss_on").stringValue()).isEqualTo("completion");
        assertThat(last.json().path("max_seq_length").intValue()).isEqualTo(160);
        assertThat(last.json().path("loss").doubleValue()).isNotCloseTo(trained, within(1e-3));

        Path usual = file("usual.jsonl", talk("messages", "so long"));
        assertThat(eval("--data", usual).err())
                .contains("columns maps messages to talk, but the keys are [messages]")
                .contains("--columns \"{}\"");
        assertThat(eval("--data", usual, "--columns", "{}").code()).isZero();
    }

    @Test
    void columnsAreMappedAsInTraining() throws IOException {
        Path data = file("qa.csv", "question,reply\n2 + 2 =,4\n3 + 3 =,6\n");
        assertThat(run("eval", "--data", data).err()).contains("the keys [question, reply] fit no known shape");
        Path reviews = file("reviews.csv", "review,sentiment\nfine,good\ndull,bad\n");
        assertThat(run("eval", "--data", reviews).err())
                .contains("map them with data.columns: {text: review, label: sentiment}");
        String columns = "{prompt: question, completion: reply}";
        assertThat(run("eval", "--data", data, "--columns", columns, "--json")
                        .json()
                        .path("rows")
                        .intValue())
                .isEqualTo(2);
        assertThat(run("eval", "--data", data, "--data.columns", columns).code())
                .isZero();
        assertThat(run("predict", "--data", data, "--columns", columns, "--max-new-tokens", 2)
                        .out())
                .contains("2 + 2 =", "3 + 3 =");
        assertThat(run("eval", "--data", data, "--columns", "question").err())
                .contains("--columns is \"question\", expected fields by the names");
        assertThat(run("eval", "--data", data, "--columns", "{query: reply}").err())
                .contains("--columns maps query, expected one of [");
    }

    @Test
    void ofAFolderTheTestRowsAreScoredAndAPatternNamesSeveralFiles() throws IOException {
        String row = "{\"prompt\": \"abc\", \"completion\": \" xyz\"}\n";
        Path rows = Files.createDirectories(folder.resolve("rows"));
        Files.writeString(rows.resolve("train.jsonl"), row.repeat(5));
        Files.writeString(rows.resolve("test.jsonl"), row.repeat(3));

        Cli test = run("eval", "--data", rows);
        assertThat(test.code()).as(test.err()).isZero();
        assertThat(test.err()).contains(rows.resolve("test.jsonl") + ": JSONL");
        assertThat(test.out()).contains("3 rows of " + rows.resolve("test.jsonl"));
        Cli all = run("eval", "--data", rows + "/*.jsonl", "--json");
        assertThat(all.code()).as(all.err()).isZero();
        assertThat(all.json().path("rows").intValue()).isEqualTo(8);
        assertThat(run("eval", "--data", rows + "/*.csv").err()).contains("no file matches");
    }
}
