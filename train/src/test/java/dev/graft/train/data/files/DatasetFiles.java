package dev.graft.train.data.files;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;

/** Files of rows, written for a test. */
abstract class DatasetFiles {
    @TempDir
    Path folder;

    Path file(String name, String content) {
        return file(name, content.getBytes(StandardCharsets.UTF_8));
    }

    Path file(String name, byte[] content) {
        try {
            return Files.write(folder.resolve(name), content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    Dataset open(String name, String content) {
        return Dataset.open(file(name, content));
    }

    void refused(String name, String content, String... message) {
        assertThatThrownBy(() -> open(name, content))
                .isInstanceOf(InputException.class)
                .hasMessageContainingAll(message);
    }

    static List<Row> rows(Rows rows) {
        return IntStream.range(0, rows.size()).mapToObj(rows::get).toList();
    }

    static Row text(String text, String label) {
        return new Row.Text(text, null, new Label.One(label));
    }
}
