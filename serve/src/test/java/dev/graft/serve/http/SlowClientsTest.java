package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Clients that take their time lose their connection, and the others are served. */
@Timeout(60)
class SlowClientsTest {
    private static final Duration IDLE = Duration.ofMillis(700);
    private static TinyChat tiny;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        Limits impatient = Limits.DEFAULT.withIdleTimeout(IDLE);
        tiny = new TinyChat(
                folder, new Engine.Options(16, 64, 16, 0), TinyChat.options().withLimits(impatient));
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }

    @AfterEach
    void othersAreServed() {
        Question question = Question.PLAIN;
        assertThat(new Client(tiny.server.address())
                        .post(question.path, question.body("poet", false))
                        .status())
                .isEqualTo(200);
    }

    private static Socket connect(int receiveBuffer) throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(receiveBuffer);
        socket.connect(new InetSocketAddress(
                InetAddress.getLoopbackAddress(), tiny.server.address().getPort()));
        socket.setSoTimeout(1);
        return socket;
    }

    /** How many milliseconds it takes until a client that sends a byte every fifth of the idle time is cut off. */
    private static long dripped(String begin, char more) throws Exception {
        long start = System.nanoTime();
        try (Socket socket = connect(1 << 16)) {
            socket.getOutputStream().write(begin.getBytes(StandardCharsets.US_ASCII));
            while (true) {
                Thread.sleep(IDLE.toMillis() / 5);
                socket.getOutputStream().write(more);
                try {
                    if (socket.getInputStream().read() < 0) {
                        break;
                    }
                } catch (java.net.SocketTimeoutException nothing) {
                    continue;
                }
            }
        } catch (SocketException cutOff) {
            assertThat(cutOff).hasMessageMatching("(?i).*(broken pipe|reset|closed).*");
        }
        return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
    }

    @Test
    void aHeadThatHasNoEnd() throws Exception {
        assertThat(dripped("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 'a'))
                .isLessThan(10 * IDLE.toMillis());
    }

    @Test
    void aSecondHeadThatHasNoEnd() throws Exception {
        assertThat(dripped("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nX-Slow: ", 'a'))
                .isLessThan(10 * IDLE.toMillis());
    }

    @Test
    void aBodyThatStops() throws Exception {
        try (Socket socket = connect(1 << 16)) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream()
                    .write(("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                    + "Content-Length: 200\r\n\r\n{")
                            .getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .startsWith("HTTP/1.1 408 ")
                    .contains("the rest of the body didn't come");
        }
    }

    @Tag("slow")
    @Test
    void aBodyThatHasNoEnd() throws Exception {
        assertThat(dripped(
                        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                                + "Content-Length: 100000\r\n\r\n{",
                        ' '))
                .isLessThan(20 * IDLE.toMillis());
    }

    /** It asks for more than the sockets' buffers hold, and reads nothing. */
    @Test
    void aReaderThatStopsReading() throws Exception {
        String body = "{\"model\": \"poet\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"n\": 16,"
                + " \"max_tokens\": 400, \"ignore_eos\": true, \"stream\": true, \"logprobs\": true, \"top_logprobs\":"
                + " 20}";
        try (Socket socket = connect(2048)) {
            socket.getOutputStream()
                    .write(("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                                    + "Content-Type: application/json\r\nContent-Length: " + body.length() + "\r\n\r\n"
                                    + body)
                            .getBytes(StandardCharsets.US_ASCII));
            await(() -> tiny.engine.running() > 0);
            await(() -> tiny.engine.running() == 0);
            Thread.sleep(4 * IDLE.toMillis());
            socket.setSoTimeout(20_000);
            assertThat(rest(socket)).as("what comes when it reads again").doesNotContain("[DONE]");
        }
    }

    private static String rest(Socket socket) throws IOException {
        StringBuilder text = new StringBuilder();
        byte[] buffer = new byte[1 << 16];
        try {
            for (int read = socket.getInputStream().read(buffer); read >= 0; ) {
                text.append(new String(buffer, 0, read, StandardCharsets.ISO_8859_1));
                read = socket.getInputStream().read(buffer);
            }
        } catch (SocketException cutOff) {
            assertThat(cutOff).hasMessageContaining("reset");
        }
        return text.toString();
    }

    private static void await(java.util.function.BooleanSupplier what) throws InterruptedException {
        while (!what.getAsBoolean()) {
            Thread.sleep(5);
        }
    }
}
