package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.serve.engine.Engine;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@Timeout(60)
class SecurityTest {
    private static final String ASK = "{\"model\": \"poet\", \"prompt\": \"My secret\", \"max_tokens\": 2}";
    private static final String LOAD = "{\"lora_name\": \"again\", \"lora_path\": \"poet\"}";

    private static TinyChat open;
    private static TinyChat closed;
    private static String infer;
    private static String admin;
    private static Path audit;
    private static AuditLog log;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        Engine.Options engine = new Engine.Options(8, 64, 16, 1 << 20);
        open = new TinyChat(folder.resolve("open"), engine, TinyChat.options());
        Path keys = folder.resolve("keys.txt");
        infer = ApiKeys.add(keys, "alice", ApiKeys.Right.INFER);
        admin = ApiKeys.add(keys, "root", ApiKeys.Right.ADMIN);
        audit = folder.resolve("audit.jsonl");
        log = new AuditLog(audit);
        ServerOptions options = TinyChat.options().withKeys(ApiKeys.read(keys)).withAudit(log);
        closed = new TinyChat(folder.resolve("closed"), engine, options);
    }

    @AfterAll
    static void stop() throws IOException {
        open.close();
        closed.close();
        log.close();
    }

    private static Client client(String key) {
        return new Client(closed.server.address(), key);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/models",
                "/metrics",
                "/lora-adapters",
                "/",
                "/nowhere",
                "/v1/models/poet",
                "/health/",
                "/HEALTH"
            })
    void nothingButHealthIsOpen(String path) {
        assertThat(client("").get(path).status()).isIn(401, 400);
        assertThat(client("graft-wrong").get(path).status()).isIn(401, 400);
        assertThat(client("").get("/health").status()).isEqualTo(200);
        assertThat(client("").get("/ready").status()).isEqualTo(200);
    }

    @Test
    void aKeyMustBeRightToTheLastLetter() {
        assertThat(client(infer).post("/v1/completions", ASK).status()).isEqualTo(200);
        for (String wrong : List.of(infer.toUpperCase(java.util.Locale.ROOT), infer + "0", infer.substring(1), "")) {
            Client.Reply reply = client(wrong).post("/v1/completions", ASK);
            assertThat(reply.status()).isEqualTo(401);
            assertThat(reply.json().path("error").path("type").stringValue()).isEqualTo("authentication_error");
        }
    }

    @Test
    void onlyAnAdminLoadsAdapters() {
        assertThat(client(infer).post("/v1/load_lora_adapter", LOAD).status()).isEqualTo(403);
        assertThat(client(infer).post("/lora-adapters", "[]").status()).isEqualTo(403);
        assertThat(client(infer).get("/lora-adapters").status()).isEqualTo(200);
        assertThat(client(admin).post("/v1/load_lora_adapter", LOAD).status()).isEqualTo(200);
    }

    @Test
    void theAuditLogHasWhoAskedButNotWhat() throws IOException {
        client(infer).post("/v1/completions", ASK);
        List<String> lines = Files.readAllLines(audit);
        while (lines.stream().noneMatch(line -> line.contains("poet"))) {
            lines = Files.readAllLines(audit);
        }
        JsonNode last = Json.parse(
                "audit",
                lines.stream().filter(line -> line.contains("poet")).toList().get(0));

        assertThat(last.path("key").stringValue()).isEqualTo("alice");
        assertThat(last.path("model").stringValue()).isEqualTo("poet");
        assertThat(last.path("status").intValue()).isEqualTo(200);
        assertThat(String.join("\n", lines)).doesNotContain("secret").doesNotContain(infer);
    }

    @Test
    void theAuditLogNamesTheKeyOfWhatIsRefused(@TempDir Path folder) throws IOException {
        Path keys = folder.resolve("keys.txt");
        String key = ApiKeys.add(keys, "bob", ApiKeys.Right.INFER);
        Files.writeString(keys, Files.readString(keys).strip() + " 1\n");
        Path written = folder.resolve("audit.jsonl");
        try (AuditLog own = new AuditLog(written);
                TinyChat tiny = new TinyChat(
                        folder,
                        new Engine.Options(8, 64, 16, 1 << 20),
                        TinyChat.options().withKeys(ApiKeys.read(keys)).withAudit(own))) {
            Client client = new Client(tiny.server.address(), key);
            client.post("/v1/load_lora_adapter", LOAD);
            client.get("/v1/models");
            Client.Reply late = client.get("/v1/models");
            assertThat(late.response().headers().firstValue("Retry-After")).isPresent();
            new Client(tiny.server.address(), "graft-wrong").get("/v1/models");
            new Client(tiny.server.address()).get("/v1/models");
        }

        assertThat(Files.readAllLines(written).stream().map(line -> Json.parse("audit", line)))
                .extracting(line ->
                        line.path("status").intValue() + " " + line.path("key").asString("null"))
                .containsExactlyInAnyOrder("403 bob", "200 bob", "429 bob", "401 null", "401 null");
    }

    @Test
    void otherSitesPagesAreRefused() {
        URI models = open.server.address().resolve("/v1/models");
        Client client = new Client(open.server.address());

        assertThat(client.send(HttpRequest.newBuilder(models).header("Origin", "https://evil.example"))
                        .status())
                .isEqualTo(403);
        Client.Reply own = client.send(HttpRequest.newBuilder(models)
                .header("Origin", open.server.address().toString()));
        assertThat(own.status()).isEqualTo(200);
        assertThat(own.response().headers().firstValue("Access-Control-Allow-Origin"))
                .isEmpty();
    }

    /** As a page does whose name was made to point to this machine. */
    @Test
    void anotherSitesNameIsRefused() throws IOException {
        assertThat(raw("GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403");
        assertThat(raw("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
                "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
                "POST /v1/completions HTTP/1.1\r\n"
                        + "Host: localhost\r\n"
                        + "Content-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n"
                        + "xyz\r\n",
                "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "GET /v1/%2e%2e/%2e%2e/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "GARBAGE\r\n\r\n"
            })
    void whatIsNoHttpIsRefusedAndOthersGoOn(String request) throws IOException {
        assertThat(raw(request)).startsWith("HTTP/1.1 4");
        assertThat(new Client(open.server.address())
                        .post("/v1/completions", ASK)
                        .status())
                .isEqualTo(200);
    }

    @Test
    void aBodyThatIsTooLargeIsNotAskedFor() throws IOException {
        String head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Expect: 100-continue\r\nContent-Length: ";
        assertThat(firstLine(head + "999999999\r\n\r\n")).startsWith("HTTP/1.1 413");
        assertThat(firstLine(head + ASK.length() + "\r\n\r\n")).startsWith("HTTP/1.1 100");
    }

    /** Of what is answered to a client that waits. */
    private static String firstLine(String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", open.server.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))
                    .readLine();
        }
    }

    private static String raw(String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", open.server.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @Test
    void otherMachinesAreServedWithKeysOnly() {
        assertThatThrownBy(() -> TinyChat.options().withHost("0.0.0.0"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("needs keys");
        assertThat(TinyChat.options().withHost("::1").host()).isEqualTo("::1");
    }

    @Test
    void aFailureOfTheServersTellsNothingOfItsInside() {
        assertThat(ApiError.of(new IllegalStateException("/home/me/secret")).getMessage())
                .doesNotContain("secret");
        assertThat(ApiError.of(new IllegalStateException("x")).status()).isEqualTo(500);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "/srv/my ad/2026-01-02T10:00/poet/graft.json: is wrong, and/or old | graft.json: is wrong, and/or old",
                "/srv/a/x.json:3:5: shard: /srv/a/y.json: short | x.json:3:5: shard: y.json: short",
                "C:\\srv\\ad\\poet\\graft.json: is wrong | graft.json: is wrong",
                "runs/ad/objects/0a/graft.json: is wrong | graft.json: is wrong",
                "/srv/a/x.json: made for (/srv/b/old, of 1), not /srv/b/new; has a/b | x.json: made for (old, of 1),"
                        + " not new; has a/b",
                "there is no adapter \"/srv/ad/poet\" here | there is no adapter \"poet\" here",
                "the request: a/b is 1 / 2, expected application/json | the request: a/b is 1 / 2, expected"
                        + " application/json"
            })
    void ofAFileItsNameIsTold(String message, String told) {
        assertThat(ApiError.of(new InputException(message)).getMessage()).isEqualTo(told);
    }
}
