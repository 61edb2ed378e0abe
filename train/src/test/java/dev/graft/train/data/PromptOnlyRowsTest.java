package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rows to be answered, whose own answers may be missing. */
class PromptOnlyRowsTest {
    @TempDir
    Path folder;

    private Row row(String json, Map<String, String> columns) throws IOException {
        Path file = Files.writeString(folder.resolve("asked.jsonl"), json + "\n");
        try (Dataset rows = Dataset.open(file, DataOptions.promptOnly(columns))) {
            return rows.get(0);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"prompt\": \"2 + 2 =\"} | PROMPT_COMPLETION",
                "{\"prompt\": \"2 + 2 =\", \"completion\": null} | PROMPT_COMPLETION",
                "{\"prompt\": \"2 + 2 =\", \"completion\": \" 4\"} | PROMPT_COMPLETION",
                "{\"prompt\": [{\"role\": \"user\", \"content\": \"a\"}]} | CHAT",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]} | CHAT",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"tool\", \"content\": \"b\"}]}"
                        + " | CHAT",
                "{\"instruction\": \"Add\", \"input\": \"1 2\"} | INSTRUCTION",
                "{\"instruction\": \"Add\", \"output\": \"\"} | INSTRUCTION",
                "{\"text\": \"a\", \"source\": \"web\"} | TEXT",
                "{\"prompt\": \"a\", \"choices\": [\"b\", \"c\"]} | UNSOLVED",
            })
    void answersMayBeMissing(String json, RowShape shape) throws IOException {
        assertThat(row(json, Map.of()).shape()).isEqualTo(shape);
    }

    @Test
    void whatIsAskedIsKept() throws IOException {
        assertThat(row("{\"prompt\": \"2 + 2 =\"}", Map.of())).isEqualTo(new Row.Completion("2 + 2 =", ""));
        assertThat(row("{\"instruction\": \"Add\", \"input\": \"1 2\"}", Map.of()))
                .isEqualTo(new Row.Instruction("", "Add", "1 2", ""));
        assertThat(row("{\"question\": \"2 + 2 =\"}", Map.of("prompt", "question", "completion", "reply")))
                .isEqualTo(new Row.Completion("2 + 2 =", ""));
        assertThat(row("{\"review\": \"fine\"}", Map.of("text", "review", "label", "sentiment")))
                .isEqualTo(new Row.Text("fine", null, null));
    }

    @Test
    void rowsThatAskNothingAreRefused() {
        assertThatThrownBy(() -> row("{\"messages\": [{\"role\": \"system\", \"content\": \"a\"}]}", Map.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("asked.jsonl:1: the last message is the system's");
        assertThatThrownBy(() -> row("{\"reply\": \"fine\"}", Map.of("text", "review")))
                .hasMessageContaining("columns maps text to review, but the keys are [reply]");
    }
}
