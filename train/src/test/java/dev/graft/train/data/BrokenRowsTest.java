package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BrokenRowsTest {
    private static final String RIGHT = "{\"text\": \"a\", \"label\": \"x\"}\n";
    private static final String WRONG = "{\"text\": \" \", \"label\": \"x\"}\n";

    @TempDir
    Path folder;

    private void says(String rows, String message) throws IOException {
        Path file = Files.writeString(folder.resolve("rows.jsonl"), rows);
        assertThatThrownBy(() -> Dataset.open(file))
                .isInstanceOf(InputException.class)
                .hasMessage(message.replace("FILE", file.toString()));
    }

    private static String rows(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "FILE:" + i).collect(Collectors.joining(", "));
    }

    @Test
    void oneIsToldWithWhatIsWrong() throws IOException {
        says(RIGHT + WRONG + RIGHT, "FILE:2: \"text\" is empty; remove the row or fill it");
    }

    @Test
    void othersAreNamedEvenBehindTheRowsThatDecideTheShape() throws IOException {
        says(
                RIGHT + WRONG + RIGHT.repeat(148) + "{\"text\": \"b\"}\n" + RIGHT + WRONG,
                "FILE:2: \"text\" is empty; remove the row or fill it\n"
                        + "other rows break a rule too: FILE:151, FILE:153");
    }

    @Test
    void noMoreThanTenAreLookedFor() throws IOException {
        says(
                WRONG.repeat(500) + "not JSON",
                "FILE:1: \"text\" is empty; remove the row or fill it\nother rows break a rule too: " + rows(2, 11)
                        + "; the rest was not read");
    }
}
