package dev.graft.eval.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.Overflow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DataMetadataTest {
    @TempDir
    private Path folder;

    private void record(String json) throws IOException {
        Files.writeString(folder.resolve("graft.json"), json);
    }

    @Test
    void howARunReadItsRowsIsReadAsItWasWritten() throws IOException {
        record("{\"base\": \"tiny\"}");
        DataMetadata rows = new DataMetadata(
                Map.of("text", "review", "label", "sentiment"), LossOn.ASSISTANT, 48, Overflow.TRUNCATE_LEFT);

        ServingMetadata.NONE.withRows(rows).write(folder);

        assertThat(folder.resolve("graft.json"))
                .content()
                .contains("\"base\": \"tiny\"", "\"loss_on\": \"assistant\"", "\"max_seq_length\": 48");
        assertThat(ServingMetadata.read(folder).rows()).isEqualTo(rows);
        assertThat(rows.maxLength(1024)).isEqualTo(48);
    }

    @Test
    void olderFoldersSayNothingOfIt() throws IOException {
        assertThat(ServingMetadata.read(folder).rows()).isEqualTo(DataMetadata.NONE);
        record("{\"base\": \"tiny\", \"problem_type\": \"regression\", \"labels\": [\"LABEL_0\"]}");
        assertThat(ServingMetadata.read(folder).rows()).isEqualTo(DataMetadata.NONE);
        assertThat(DataMetadata.NONE.maxLength(1024)).isEqualTo(1024);
        ServingMetadata.NONE.write(folder);
        assertThat(folder.resolve("graft.json")).content().doesNotContain("\"rows\"");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"loss_on\": \"nothing\"} | loss_on | one of completion, all, assistant",
                "{\"overflow\": \"bend\"} | overflow | one of drop, truncate, truncate_left, split, error",
                "{\"max_seq_length\": 0} | max_seq_length | at least 1",
            })
    void whatIsNoneOfTheValuesIsRefused(String rows, String field, String expected) throws IOException {
        record("{\"rows\": " + rows + "}");
        assertThatThrownBy(() -> ServingMetadata.read(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("graft.json")
                .hasMessageContaining(field)
                .hasMessageContaining(expected);
    }
}
