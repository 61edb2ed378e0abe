package dev.graft.models.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Any text is either a tokenizer that encodes, or refused with an {@link InputException}. */
class TokenizerFuzzTest {

    @FuzzTest(maxDuration = "2m")
    void tokenizerJson(byte[] input) {
        try {
            Tokenizer tokenizer = Tokenizers.parse("fuzz.json", new String(input, StandardCharsets.UTF_8));
            Encoding e = tokenizer.encode("Hello <s> é", EncodeOptions.DEFAULT.withTruncation(6));
            assertThat(List.of(e.starts().length, e.wordIds().length, e.tokens().size()))
                    .containsOnly(e.length());
            tokenizer.decode(e.ids(), true);
        } catch (InputException refused) {
            // refused with its place
        }
    }
}
