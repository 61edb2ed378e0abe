package dev.graft.train.data.sets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.train.data.files.Splits;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WordNetTest {
    @TempDir
    Path folder;

    private Path nouns(String... lines) throws IOException {
        return Files.writeString(
                folder.resolve("data.noun"), "  1 A licence of some lines  \n" + String.join("  \n", lines) + "  \n");
    }

    @Test
    void theKindIsTheFileAndTheTextEndsBeforeTheFirstExample() throws IOException {
        WordNet nouns = WordNet.read(nouns(
                "00000100 03 n 01 whatsit 0 000 | the head of everything",
                "00000200 05 n 02 zorse 0 zebroid 0 002 @ 00000100 n 0000 ~ 00000300 n 0000 | striped animal; part"
                        + " horse; \"the zorse neighed\"; \"two zorses\"",
                "00000300 15 n 01 hilltown 0 001 @ 00000100 n 0000 | a town on a hill",
                "00000400 15 n 01 other 0 001 @ 00000100 n 0000 | a town on a hill",
                "00000500 05 n 01 this 0 000 | said of two kinds",
                "00000600 20 n 01 that 0 000 | said of two kinds"));
        assertThat(nouns.definitions())
                .containsOnlyKeys("animal", "location")
                .containsEntry("animal", List.of("striped animal; part horse"))
                .containsEntry("location", List.of("a town on a hill"));
    }

    @Test
    void linesOfAnotherFormatAreNamed() throws IOException {
        Path verb = nouns("00000100 29 v 01 go 0 000 | to move");
        assertThatThrownBy(() -> WordNet.read(verb))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("data.noun:2: is not a noun of WordNet");
        Path without = nouns("00000100 05 n 01 cat 0 000");
        assertThatThrownBy(() -> WordNet.read(without)).hasMessageContaining(":2: has no gloss");
        Path foreign = nouns("00000100 44 n 01 cat 0 000 | a cat");
        assertThatThrownBy(() -> WordNet.read(foreign)).hasMessageContaining("file 44 has no nouns");
    }

    @Test
    void theSplitDoesNotDependOnTheOrderOfTheFileAndSmallKindsKeepTheProportion() throws IOException {
        List<String> lines = IntStream.range(0, 66)
                .mapToObj(i -> "000 " + (i < 60 ? "05" : "16") + " n 01 w 0 000 | meaning " + i)
                .collect(Collectors.toList());
        Splits splits = WordNet.read(nouns(lines.toArray(String[]::new))).split(20, 10);
        assertThat(splits.train().labelCounts()).containsEntry("animal", 20).containsEntry("motive", 4);
        assertThat(splits.test().labelCounts()).containsEntry("animal", 10).containsEntry("motive", 2);
        Collections.reverse(lines);
        Splits again = WordNet.read(nouns(lines.toArray(String[]::new))).split(20, 10);
        for (int i = 0; i < again.train().size(); i++) {
            assertThat(again.train().get(i)).isEqualTo(splits.train().get(i));
        }
        assertThat(Splits.leak(splits.train(), splits.test())).isNull();
    }
}
