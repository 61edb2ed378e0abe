package dev.graft.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class TokenClassificationEncoderTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");
    private static final Labels LABELS = Labels.ofNames(List.of("B-PER", "I-PER", "O"));
    private static final Row WORDS = new Row.Words(
            List.of("Ada", "Lovelace-Byron", "wrote", "\ud83d\ude00", "it", "."),
            new Label.Each(List.of("B-PER", "I-PER", "O", "O", "O", "O")));

    private static Tokenizer tokenizer(String name) {
        return Tokenizers.load(FIXTURES.resolve("tokens").resolve(name));
    }

    private static Stream<JsonNode> reference() {
        return StreamSupport.stream(
                Json.read(FIXTURES.resolve("spans/tags.json")).get("cases").spliterator(), false);
    }

    private static List<String> strings(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false)
                .map(JsonNode::asString)
                .toList();
    }

    private static int[] ints(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false)
                .mapToInt(JsonNode::asInt)
                .toArray();
    }

    @ParameterizedTest
    @MethodSource("reference")
    void wordsHaveTheTokensThatTheReferenceGivesThem(JsonNode case_) {
        List<String> words = strings(case_.get("words"));
        int longest = case_.get("max_length").asInt();
        TokenClassificationEncoder encoder = new TokenClassificationEncoder(
                tokenizer(case_.get("tokenizer").asString()), Labels.ofNames(List.of("O")));
        Row row = new Row.Words(words, new Label.Each(Collections.nCopies(words.size(), "O")));
        Example example = encoder.encode(0, row, "a:1", longest);
        assertThat(example.ids()).isEqualTo(ints(case_.get("ids")));
        assertThat(encoder.firstTokens(words, longest)).isEqualTo(ints(case_.get("first")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"wordpiece", "bytebpe", "spbpe", "splitbpe"})
    void theFirstTokenOfEachWordAloneIsLearnt(String name) {
        Example example =
                new TokenClassificationEncoder(tokenizer(name), LABELS).encode(0, WORDS, "a:1", Integer.MAX_VALUE);
        int[] labels = ((Target.InPlace) example.target()).labels();
        List<Integer> found = java.util.Arrays.stream(labels)
                .filter(label -> label != Target.NONE)
                .boxed()
                .toList();
        assertThat(found).startsWith(0, 1, 2).endsWith(2, 2).hasSizeBetween(5, 6);
        assertThat(example.lossTerms()).isEqualTo(found.size());
    }

    @Test
    void aTagThatIsUnknownIsNamed() {
        TokenClassificationEncoder encoder =
                new TokenClassificationEncoder(tokenizer("wordpiece"), Labels.ofNames(List.of("O")));
        assertThatThrownBy(() -> encoder.encode(0, WORDS, "a.jsonl:7", 99))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a.jsonl:7")
                .hasMessageContaining("B-PER");
        assertThatThrownBy(() -> encoder.encode(0, new Row.Completion("a", "b"), "a.jsonl:7", 99))
                .hasMessageContaining("but tagging words needs rows such as");
        assertThatThrownBy(() -> encoder.encode(0, new Row.Words(List.of("a"), null), "a.jsonl:7", 99))
                .hasMessageContaining("the rows are words without tags");
    }
}
