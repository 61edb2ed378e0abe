package dev.graft.models.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** SentencePiece's own files give the ids that SentencePiece and transformers give: parity/python/sentencepiece_goldens.py. */
class SentencePieceTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures/sentencepiece");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"bpe", "t5", "xlm-roberta"})
    void idsAreThoseOfTheReference(String name) {
        Tokenizer tokenizer = Tokenizers.load(FIXTURES.resolve(name));
        for (JsonNode golden : Json.read(FIXTURES.resolve(name).resolve("cases.json"))) {
            String text = golden.get("text").stringValue();
            assertThat(tokenizer.encode(text, EncodeOptions.DEFAULT).ids())
                    .as("\"" + text + "\"")
                    .isEqualTo(ints(golden.get("single")));
            if (golden.has("pair")) {
                assertThat(tokenizer
                                .encode(new TextPair(text, "it is"), EncodeOptions.DEFAULT)
                                .ids())
                        .as("\"" + text + "\" and another")
                        .isEqualTo(ints(golden.get("pair")));
            }
        }
    }

    /** Without a class to say so nothing stands around a text. */
    @ParameterizedTest
    @ValueSource(strings = {"bpe", "t5"})
    void aFileAloneGivesThePieces(String name) throws IOException {
        Path model = Files.copy(FIXTURES.resolve(name).resolve("tokenizer.model"), folder.resolve("alone.model"));
        Tokenizer tokenizer = Tokenizers.load(model);
        for (JsonNode golden : Json.read(FIXTURES.resolve(name).resolve("cases.json"))) {
            assertThat(tokenizer
                            .encode(golden.get("text").stringValue(), EncodeOptions.DEFAULT)
                            .ids())
                    .isEqualTo(ints(golden.get("pieces")));
        }
    }

    @Test
    void anUnknownClassIsRefusedByName() throws IOException {
        Files.copy(FIXTURES.resolve("t5/tokenizer.model"), folder.resolve("tokenizer.model"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"MarianTokenizer\"}");

        assertThatThrownBy(() -> Tokenizers.load(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("MarianTokenizer");
    }

    private static int[] ints(JsonNode list) {
        return list.valueStream().mapToInt(JsonNode::intValue).toArray();
    }
}
