package dev.graft.serve.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class StopTest {
    @Test
    void aRequestThatIsUnderWayIsAnswered(@TempDir Path folder) throws IOException, InterruptedException {
        TinyChat tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 0), TinyChat.options());
        String body = "{\"model\": \"poet\", \"prompt\": \"Hello\"}";
        String head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: " + body.length()
                + "\r\n\r\n";
        String begun = "HTTP/1.1 100 Continue\r\n\r\n";
        try (Socket socket = new Socket(
                InetAddress.getLoopbackAddress(), tiny.server.address().getPort())) {
            socket.setSoTimeout(20_000);
            socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readNBytes(begun.length()), StandardCharsets.US_ASCII))
                    .isEqualTo(begun);
            Thread stop = new Thread(tiny::close);
            stop.start();
            while (stop.isAlive()
                    && stop.getState() != Thread.State.TIMED_WAITING
                    && stop.getState() != Thread.State.WAITING) {
                Thread.sleep(10);
            }
            socket.getOutputStream().write(body.getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .startsWith("HTTP/1.1 503")
                    .contains("stopping");
            stop.join();
        }
    }
}
