package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A connection is kept for the next request, or the client is told that it isn't. */
@Timeout(60)
class KeptConnectionTest {
    private static TinyChat tiny;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 0), TinyChat.options());
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }

    private static Socket connect() throws IOException {
        Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), tiny.server.address().getPort());
        socket.setSoTimeout(20_000);
        return socket;
    }

    private static void send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static String head(String path, int length) {
        return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                + length + "\r\n\r\n";
    }

    /** The head of an answer in small letters; its body is read too. */
    private static String answer(Socket socket) throws IOException {
        StringBuilder head = new StringBuilder();
        InputStream in = socket.getInputStream();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            assertThat(next).as("what comes behind %s", head).isNotNegative();
            head.append((char) next);
        }
        String text = head.toString().toLowerCase(Locale.ROOT);
        String length = text.replaceAll("(?s).*content-length: (\\d+).*", "$1");
        in.readNBytes(Integer.parseInt(length));
        return text;
    }

    /** As Java's client does: the head in one packet, the body in the next, which isn't there yet when the answer is. */
    @Test
    void aBodyThatNobodyReadsEndsTheConnectionAndTheClientKnows() throws IOException {
        try (Socket socket = connect()) {
            send(socket, head("/v1/nothing", 2));
            assertThat(answer(socket)).startsWith("http/1.1 404").contains("connection: close");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "/v1/completions, {}, 400",
        "/v1/completions, '{', 400",
        "/v1/load_lora_adapter, '{\"lora_name\": \"x\"}', 400"
    })
    void aBodyThatWasReadKeepsTheConnection(String path, String body, String status) throws IOException {
        try (Socket socket = connect()) {
            for (int i = 0; i < 3; i++) {
                send(socket, head(path, body.length()));
                send(socket, body);
                assertThat(answer(socket)).startsWith("http/1.1 " + status).doesNotContain("connection: close");
            }
        }
    }

    @Test
    void aRequestWithoutBodyKeepsTheConnection() throws IOException {
        try (Socket socket = connect()) {
            for (String path : new String[] {"/nothing", "/health", "/v1/models"}) {
                send(socket, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
                assertThat(answer(socket)).doesNotContain("connection: close");
            }
        }
    }
}
