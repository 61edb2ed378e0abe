package dev.graft.eval.metrics.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.metrics.NoRowsException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Scores equal to NLTK's; {@code parity/python/meteor_goldens.py} made the files. */
class MeteorTest {
    private static final Path GOLDENS = Path.of("../parity/fixtures/meteor");
    private static final Synonyms SYNONYMS = Synonyms.read(GOLDENS.resolve("wordnet"));

    @TempDir
    Path folder;

    @Test
    void equalsNltksWithAndWithoutSynonyms() {
        assertEqualsNltks("scores.json", 80, SYNONYMS);
    }

    @Test
    @Tag("slow")
    void equalsNltksWithTheWordNetOfTheCatalogue() {
        assertEqualsNltks("scores-wn31.json", 100, Synonyms.read(new Hub().fetch("wordnet")));
    }

    private static void assertEqualsNltks(String file, int count, Synonyms synonyms) {
        JsonNode rows = Json.read(GOLDENS.resolve(file));
        assertThat(rows).hasSize(count);
        for (JsonNode row : rows) {
            for (String name : List.of("meteor", "meteor_exact_stem")) {
                assertThat(best(row, name.equals("meteor") ? synonyms : null))
                        .as(name + " of " + row)
                        .isCloseTo(row.get(name).doubleValue(), within(1e-12));
            }
        }
    }

    private static double best(JsonNode row, @Nullable Synonyms synonyms) {
        return row.get("references")
                .valueStream()
                .mapToDouble(reference -> Meteor.score(words(row.get("text")), words(reference), synonyms))
                .max()
                .orElseThrow();
    }

    private static List<String> words(JsonNode node) {
        return node.valueStream().map(JsonNode::asString).toList();
    }

    @Test
    void isTheMeanOverRowsOfTheBestReferenceAndSaysWhatItMatches() {
        Meteor meteor = new Meteor();
        assertThatThrownBy(meteor::value).isInstanceOf(NoRowsException.class);
        meteor.update(new TextPrediction("The dog ran.", List.of("A cat.", "The dog ran.")));
        meteor.update(new TextPrediction("dog", "hound"));
        double whole = 1 - 0.5 / 27;
        assertThat(meteor.value()).isCloseTo(whole / 2, within(1e-12));
        assertThat(meteor.name()).isEqualTo("meteor_exact_stem");
        Meteor all = new Meteor(SYNONYMS);
        all.update(new TextPrediction("dog", "hound"));
        assertThat(all.value()).isEqualTo(0.5);
        assertThat(all.name()).isEqualTo("meteor");
    }

    @Test
    void whatIsNoWordNetIsRefusedByItsLine() throws IOException {
        assertThatThrownBy(() -> Synonyms.read(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has no data.noun, so it is not WordNet");
        Files.writeString(folder.resolve("data.noun"), "");
        assertThatThrownBy(() -> Synonyms.read(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("index.");
        for (String part : List.of("noun", "verb", "adj", "adv")) {
            for (String name : List.of("index." + part, "data." + part, part + ".exc")) {
                Files.writeString(folder.resolve(name), "");
            }
        }
        Files.writeString(folder.resolve("index.noun"), "  1 licence\ndog n many 0 1 0 00000061\n");
        assertThatThrownBy(() -> Synonyms.read(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("index.noun:2");
    }
}
