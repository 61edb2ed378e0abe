package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.hub.Hub;
import dev.graft.train.data.files.Splits;
import dev.graft.train.data.sets.WordNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
class WordNetFileTest {

    @Test
    void wordnet31Has25KindsAndAlwaysTheSameSplit() throws IOException {
        Path noun;
        try (Stream<Path> files = Files.walk(new Hub().fetch("wordnet"))) {
            noun = files.filter(file -> file.endsWith("data.noun")).findFirst().orElseThrow();
        }
        WordNet nouns = WordNet.read(noun);
        assertThat(nouns.definitions()).hasSize(25);
        assertThat(nouns.definitions().get("person")).hasSize(11033);
        assertThat(nouns.definitions().get("motive")).hasSize(42);
        Splits splits = nouns.split(200, 60);
        assertThat(splits.train().size()).isEqualTo(24 * 200 + 33);
        assertThat(splits.test().size()).isEqualTo(24 * 60 + 9);
        assertThat(splits.train().labelCounts()).containsEntry("motive", 33).containsEntry("shape", 200);
        assertThat(Splits.leak(splits.train(), splits.test())).isNull();
        assertThat(splits.test().get(0))
                .isEqualTo(new Row.Text(
                        "an activity that is diverting and that holds the attention", null, new Label.One("act")));
    }
}
