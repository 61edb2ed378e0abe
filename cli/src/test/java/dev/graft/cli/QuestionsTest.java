package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** {@code graft predict} answers rows that have no answer of their own. */
class QuestionsTest {
    @TempDir
    private Path folder;

    private Path model;

    @BeforeEach
    void model() throws IOException {
        model = TinyLlama.write(folder.resolve("tiny"));
    }

    private Cli predict(String... rows) throws IOException {
        Path data = Files.write(folder.resolve("rows.jsonl"), List.of(rows));
        return Cli.run("predict", "--model", model, "--data", data, "--max-new-tokens", 3, "--dtype", "fp32", "--json");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]} | Hi",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Ho\"}]} | Hi",
                "{\"prompt\": \"2 + 2 =\"} | 2 + 2 =",
                "{\"prompt\": [{\"role\": \"user\", \"content\": \"Hi\"}]} | Hi",
                "{\"instruction\": \"Hi\"} | Hi",
                "{\"instruction\": \"Hi\", \"output\": \"Ho\"} | Hi",
                "{\"prompt\": \"2 + 2 =\", \"chosen\": \" 4\", \"rejected\": \" 5\"} | 2 + 2 =",
                "{\"prompt\": \"2 + 2 =\", \"completion\": \" 4\", \"label\": true} | 2 + 2 =",
            })
    void whatIsAskedIsShownAndAnswered(String row, String asked) throws IOException {
        Cli run = predict(row);
        assertThat(run.code()).as(run.err()).isZero();
        JsonNode answer = Json.parse("out", run.out());
        assertThat(answer.path("prompt").stringValue()).isEqualTo(asked);
        assertThat(answer.path("completion").isString()).isTrue();
    }

    @Test
    void anAnswerOfTheRowsOwnChangesNothing() throws IOException {
        String question = "{\"instruction\": \"Add\", \"input\": \"1 2\"%s}";
        Cli run = predict(question.formatted(""), question.formatted(", \"output\": \"3\""));
        assertThat(run.out().lines().distinct()).as(run.err()).hasSize(1);
        assertThat(run.out()).contains("\"prompt\":\"Add\\n\\n1 2\"");
    }

    @Test
    void whatCanNotBeAnsweredIsRefusedWithItsRow() throws IOException {
        assertThat(predict("{\"messages\": [{\"role\": \"system\", \"content\": \"Hi\"}]}")
                        .err())
                .contains("rows.jsonl:1: the last message is the system's");
        assertThat(predict("{\"tokens\": [\"a\", \"b\"]}").err())
                .contains("a completion needs a text, a prompt or messages")
                .doesNotContain("ClassCastException");
        assertThat(predict(
                                "{\"messages\": [{\"role\": \"user\", \"content\": \"please search\"}], \"tools\": [{\"name\":"
                                        + " \"search\"}]}")
                        .err())
                .contains("rows.jsonl:1: ")
                .contains("leaves out tools and their calls: \"search\"");
    }
}
