package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.peft.store.Canary;
import dev.graft.peft.store.Store;
import dev.graft.serve.adapters.VersionedStore;
import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** An alias with a canary, as clients and operators see it. */
class CanaryTest {
    private static final Canary SOME = new Canary("words@2", 0.4);

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path folder;

    @SuppressWarnings("NullAway.Init")
    private TinyChat tiny;

    @SuppressWarnings("NullAway.Init")
    private Store store;

    @SuppressWarnings("NullAway.Init")
    private AuditLog audit;

    @SuppressWarnings("NullAway.Init")
    private Client client;

    @BeforeEach
    void start() throws IOException {
        audit = new AuditLog(folder.resolve("audit.jsonl"));
        ServerOptions options = TinyChat.options().withAudit(audit);
        tiny = new TinyChat(
                folder,
                new Engine.Options(8, 64, 16, 1 << 20),
                options,
                trained -> {
                    store = Store.create(folder.resolve("store"), null);
                    store.add("words", trained.resolve("poet"), Map.of(), true);
                    store.add("words", trained.resolve("clerk"), Map.of(), true);
                    store.alias("prod", "words@1", SOME);
                    return new VersionedStore(store);
                },
                Long.MAX_VALUE);
        client = new Client(tiny.server.address());
    }

    @AfterEach
    void stop() throws IOException {
        tiny.close();
        audit.close();
    }

    private Client.Reply ask(String model, String more) {
        return client.post(
                "/v1/completions",
                "{\"model\": \"" + model + "\", \"prompt\": \"Hello\", \"temperature\": 0, \"max_tokens\": 12" + more
                        + "}");
    }

    private static String user(String name) {
        return ", \"user\": \"" + name + "\"";
    }

    private static String text(Client.Reply reply) {
        assertThat(reply.status()).as(reply.body()).isEqualTo(200);
        return reply.json().path("choices").path(0).path("text").stringValue();
    }

    private static String adapter(Client.Reply reply) {
        return reply.response().headers().firstValue("Graft-Adapter").orElse("");
    }

    @Test
    void aUserStaysWithOneVersionAndIsToldWhich() {
        String one = text(ask("words@1", ""));
        String two = text(ask("words@2", ""));
        assertThat(one).isNotEqualTo(two);
        int taken = 0;
        for (int i = 0; i < 20; i++) {
            String user = "user" + i;
            boolean canary = SOME.accepts("prod", user);
            for (int again = 0; again < 2; again++) {
                Client.Reply reply = ask("prod", user(user));
                assertThat(text(reply)).isEqualTo(canary ? two : one);
                assertThat(adapter(reply)).isEqualTo(canary ? "words@2" : "words@1");
                assertThat(reply.json().path("model").stringValue()).isEqualTo("prod");
            }
            taken += canary ? 1 : 0;
        }
        assertThat(taken).isBetween(1, 19);
        assertThat(adapter(ask("tiny", ""))).isEmpty();
        assertThat(adapter(ask("prod", ", \"stream\": true" + user("user1"))))
                .isEqualTo(SOME.accepts("prod", "user1") ? "words@2" : "words@1");
    }

    @Test
    void requestsOfNobodyAreToldApartByWhatTheySay() {
        List<String> answers = new ArrayList<>();
        for (int seed = 0; seed < 16; seed++) {
            String more = ", \"seed\": " + seed;
            answers.add(adapter(ask("prod", more)));
            assertThat(adapter(ask("prod", more))).isEqualTo(answers.get(seed));
        }
        assertThat(answers).contains("words@1", "words@2");
    }

    @Test
    void rollingBackTakesItFromTheNextRequestOn() {
        String user = user(taken());
        assertThat(adapter(ask("prod", user))).isEqualTo("words@2");
        store.rollback("prod", null);
        assertThat(adapter(ask("prod", user))).isEqualTo("words@1");
        store.alias("prod", "words@2");
        assertThat(adapter(ask("prod", ""))).isEqualTo("words@2");
    }

    private static String taken() {
        int i = 0;
        while (!SOME.accepts("prod", "user" + i)) {
            i++;
        }
        return "user" + i;
    }

    @Test
    void aPinnedNameKeepsItsUsualVersionInMemory() {
        tiny.adapters.pin("prod");
        long usual = tiny.adapters.revision("prod");
        ask("prod", user(taken()));
        ask("prod", user(taken()));

        assertThat(tiny.adapters.revision("prod")).isEqualTo(usual);
        assertThat(tiny.adapters.cacheStats().loads()).isEqualTo(2);
    }

    @Test
    void operatorsSeeIt() throws IOException {
        ask("prod", user(taken()));
        ask("words@1", "");
        JsonNode model = client.get("/v1/models/prod").json();
        assertThat(model.path("canary").path("adapter").stringValue()).isEqualTo("words@2");
        assertThat(model.path("canary").path("share").doubleValue()).isEqualTo(0.4);
        assertThat(client.get("/v1/models/words").json().has("canary")).isFalse();
        assertThat(client.get("/metrics").body())
                .contains("graft_adapter_duration_seconds_count{adapter=\"words@2\",model=\"prod\",status=\"200\"} 1")
                .contains(
                        "graft_adapter_duration_seconds_count{adapter=\"words@1\",model=\"words@1\",status=\"200\"} 1");
        JsonNode line = Json.parse(
                "audit",
                Objects.requireNonNull(
                        Files.readAllLines(folder.resolve("audit.jsonl")).get(0)));
        assertThat(line.path("model").stringValue()).isEqualTo("prod");
        assertThat(line.path("adapter").stringValue()).isEqualTo("words@2");
    }
}
