package dev.graft.serve.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.models.tokenizers.Tokenizer;
import dev.graft.models.tokenizers.Tokenizers;
import dev.graft.serve.LogitsProcessor;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTokensTest {
    private static final String TEXT = "{\"name\": \"Zoë 😀\", \"list\": [1, 2.5, true, null], \"empty\": {}}";

    private static Tokenizer tokenizer(String name) {
        return Tokenizers.load(Path.of("../parity/fixtures/tokens", name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"splitbpe", "bytebpe", "spbpe"})
    void theBytesOfTokensAreTheText(String name) {
        Tokenizer tokenizer = tokenizer(name);
        byte[][] bytes = new TokenBytes(tokenizer).all();
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (int id : tokenizer
                .encode(TEXT, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                .ids()) {
            joined.writeBytes(bytes[id]);
        }
        assertThat(joined.toString(StandardCharsets.UTF_8).strip()).isEqualTo(TEXT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"splitbpe", "bytebpe", "spbpe"})
    void eachTokenOfAJsonTextIsAllowedAndThenTheEnd(String name) {
        Tokenizer tokenizer = tokenizer(name);
        int end = 0;
        LogitsProcessor logitsProcessor = JsonTokens.of(tokenizer, Set.of(end)).constrain(Schema.ANY);
        for (int id : tokenizer
                .encode(TEXT, EncodeOptions.DEFAULT.withAddSpecialTokens(false))
                .ids()) {
            float[] logits = new float[tokenizer.idLimit() + 3];
            logitsProcessor.process(logits);
            assertThat(logits[id]).as("%s", tokenizer.token(id)).isZero();
            assertThat(logits[end]).isEqualTo(Float.NEGATIVE_INFINITY);
            assertThat(logits[logits.length - 1]).as("a row without a token").isEqualTo(Float.NEGATIVE_INFINITY);
            logitsProcessor.onToken(id);
        }
        float[] logits = new float[tokenizer.idLimit()];
        logitsProcessor.process(logits);
        for (int id = 0; id < logits.length; id++) {
            assertThat(logits[id]).isEqualTo(id == end ? 0 : Float.NEGATIVE_INFINITY);
        }
    }

    /** What is found by the tree is what is found by trying every token. */
    @Test
    void theTreeFindsAllAndNoOthers() {
        Tokenizer tokenizer = tokenizer("bytebpe");
        byte[][] bytes = new TokenBytes(tokenizer).all();
        JsonTokens tokens = JsonTokens.of(tokenizer, Set.of(0));
        for (String begin :
                new String[] {"", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":\"\\", "{\"a\":[tr"}) {
            JsonPrefix text = JsonPrefix.BEGIN;
            for (byte b : begin.getBytes(StandardCharsets.UTF_8)) {
                text = text.advance(b & 0xff);
            }
            BitSet expected = new BitSet();
            for (int id = 1; id < bytes.length; id++) {
                JsonPrefix then = bytes[id] == null || bytes[id].length == 0 ? null : text;
                for (int i = 0; then != null && i < bytes[id].length; i++) {
                    then = then.advance(bytes[id][i] & 0xff);
                }
                expected.set(id, then != null);
            }
            assertThat(tokens.allowed(text)).as(begin).isEqualTo(expected);
        }
    }

    @Test
    void aVocabularyThatCanNotWriteJsonIsRefused() {
        assertThatThrownBy(() -> JsonTokens.of(tokenizer("wordpiece"), Set.of(1)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("can't write JSON");
        assertThatThrownBy(() -> JsonTokens.of(tokenizer("bytebpe"), Set.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no token that ends a text");
    }
}
