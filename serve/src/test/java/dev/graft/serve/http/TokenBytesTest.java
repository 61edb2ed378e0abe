package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The bytes that stand beside a token's text in an answer with probabilities. */
class TokenBytesTest {
    /** Of a character in several tokens each has its part, whose text alone is U+FFFD. */
    @Test
    void bytesOfTokensJoinToTheAnswer(@TempDir Path folder) throws IOException {
        String text = "Zoë 😀 says 你好.";
        try (Reciter reciter = new Reciter(folder, text)) {
            JsonNode choice = new Client(reciter.server.address())
                    .post(
                            "/v1/chat/completions",
                            "{\"model\": \"reciter\", \"messages\": [{\"role\": \"user\", \"content\": \"any\"}],"
                                    + " \"temperature\": 0, \"logprobs\": true, \"top_logprobs\": 1}")
                    .json()
                    .path("choices")
                    .path(0);
            assertThat(choice.path("message").path("content").stringValue()).isEqualTo(text);
            ByteArrayOutputStream joined = new ByteArrayOutputStream();
            boolean partial = false;
            for (JsonNode token : choice.path("logprobs").path("content")) {
                partial |= token.path("token").stringValue().contains("\ufffd");
                token.path("bytes").forEach(b -> joined.write(b.intValue()));
                assertThat(token.path("top_logprobs").path(0).path("bytes")).isEqualTo(token.path("bytes"));
            }
            assertThat(partial).isTrue();
            assertThat(joined.toString(StandardCharsets.UTF_8)).startsWith(text);
        }
    }
}
