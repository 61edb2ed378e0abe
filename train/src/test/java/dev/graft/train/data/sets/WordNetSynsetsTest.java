package dev.graft.train.data.sets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WordNetSynsetsTest {
    @TempDir
    private Path folder;

    private Path nouns(List<String> lines) throws IOException {
        return Files.writeString(
                folder.resolve("data.noun"), "  1 A licence of some lines  \n" + String.join("  \n", lines) + "  \n");
    }

    private static List<Row> all(Splits splits) {
        List<Row> rows = new ArrayList<>();
        for (Rows part : new Rows[] {splits.train(), splits.validation(), splits.test()}) {
            IntStream.range(0, part.size()).mapToObj(part::get).forEach(rows::add);
        }
        return rows;
    }

    @Test
    void aDefinitionBelongsToAllNounsOfItsSynset() throws IOException {
        List<String> lines = new ArrayList<>();
        lines.add("00000200 05 n 02 zorse 0 striped_horse 3 002 @ 00000100 n 0000 | striped animal; \"it neighed\"");
        IntStream.range(0, 12).forEach(i -> lines.add("0000 05 n 01 word" + i + " 0 000 | meaning " + i));
        List<Row> rows = all(WordNetSynsets.read(nouns(lines)));
        assertThat(rows)
                .hasSize(13)
                .contains(new Row.TextPair("striped animal", "zorse, striped horse", null))
                .contains(new Row.TextPair("meaning 3", "word3", null));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "0000 05 n zz cat 0 000 | a cat ! expected the number of its words",
                "0000 05 n 03 cat 0 | a cat ! has fewer words than the 3",
                "0000 05 n 01 cat 0 000 ! has no gloss",
            })
    void linesOfAnotherFormatAreNamed(String line, String message) throws IOException {
        Path file = nouns(List.of(line.strip()));
        assertThatThrownBy(() -> WordNetSynsets.read(file))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("data.noun:2: ")
                .hasMessageContaining(message.strip());
    }
}
