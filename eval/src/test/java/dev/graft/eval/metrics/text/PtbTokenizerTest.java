package dev.graft.eval.metrics.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class PtbTokenizerTest {
    /** {@code parity/python/suite_goldens.py} stored what that gives. */
    @Test
    void wordsAreThoseOfStanfordsTokenizer() throws IOException {
        JsonNode stored;
        try (InputStream file = Objects.requireNonNull(
                PtbTokenizerTest.class.getResourceAsStream("/dev/graft/eval/suites/goldens/e2e.json"))) {
            stored = Json.parse("e2e.json", new String(file.readAllBytes(), StandardCharsets.UTF_8));
        }
        List<String> words = new ArrayList<>();
        for (JsonNode row : stored.path("rows")) {
            words.add(words(row.path("text")));
            row.path("references").forEach(reference -> words.add(words(reference)));
        }
        assertThat(words)
                .isEqualTo(stored.path("words")
                        .valueStream()
                        .map(JsonNode::asString)
                        .toList());
    }

    private static String words(JsonNode text) {
        return String.join(" ", PtbTokenizer.of(text.asString()));
    }
}
