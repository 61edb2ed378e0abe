package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.serve.adapters.AdapterStore;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.engine.EncoderEngine;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Any body is either answered or refused with a reason: no request makes a server fail. Seeds lie in the resources beside this class;
 * {@code JAZZER_FUZZ=1} and one method selected by {@code -Dtest} searches for new inputs.
 */
class RequestFuzzTest {
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final Limits SMALL = new Limits(1 << 16, 4, 4, 2, Duration.ofSeconds(60), Duration.ofSeconds(60));

    private static TinyChat tiny;
    private static EncoderEngine engine;
    private static Server encoder;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        ServerOptions options = TinyChat.options().withLimits(SMALL);
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), options);
        Base bert = Base.load(Path.of("../parity/fixtures/bases/bert-base"), Base.Options.of(Task.FEATURE_EXTRACTION));
        engine = new EncoderEngine(bert, EncoderEngine.Options.DEFAULT);
        encoder = Server.forEncoder(engine, new Adapters(bert, "tiny", AdapterStore.NONE), new Metrics(), options);
    }

    @AfterAll
    static void stop() {
        tiny.close();
        encoder.close();
        engine.close();
    }

    @FuzzTest(maxDuration = "2m")
    void chat(byte[] body) throws Exception {
        post(tiny.server, "/v1/chat/completions", body);
    }

    @FuzzTest(maxDuration = "2m")
    void completions(byte[] body) throws Exception {
        post(tiny.server, "/v1/completions", body);
    }

    @FuzzTest(maxDuration = "2m")
    void embeddings(byte[] body) throws Exception {
        post(encoder, "/v1/embeddings", body);
    }

    @FuzzTest(maxDuration = "2m")
    void adapters(byte[] body) throws Exception {
        post(tiny.server, "/v1/load_lora_adapter", body);
        post(tiny.server, "/v1/unload_lora_adapter", body);
        post(tiny.server, "/lora-adapters", body);
    }

    private static void post(Server server, String path, byte[] body) throws Exception {
        URI uri = server.address().resolve(path);
        HttpResponse<String> response = HTTP.send(
                HttpRequest.newBuilder(uri)
                        .header("Content-Type", "application/json")
                        .timeout(Duration.ofSeconds(60))
                        .POST(HttpRequest.BodyPublishers.ofByteArray(body))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).as(response.body()).isIn(200, 400, 404, 413);
        if (response.statusCode() != 200) {
            JsonNode error = JsonMapper.shared().readTree(response.body()).path("error");
            assertThat(error.path("message").asString("")).isNotBlank();
            assertThat(error.path("type").stringValue()).isEqualTo("invalid_request_error");
        }
        assertThat(response.body()).as("a stream that breaks says so").doesNotContain("server_error");
    }
}
