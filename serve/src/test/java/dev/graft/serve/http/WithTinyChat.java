package dev.graft.serve.http;

import dev.graft.serve.engine.Engine;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server of {@link TinyChat} for the tests of a class, and a client that asks it. */
@Timeout(60)
abstract class WithTinyChat {
    static TinyChat tiny;
    static Client client;

    @BeforeAll
    static void start(@TempDir Path folder) throws IOException {
        tiny = new TinyChat(folder, new Engine.Options(8, 64, 16, 1 << 20), TinyChat.options());
        client = new Client(tiny.server.address());
    }

    @AfterAll
    static void stop() {
        tiny.close();
    }
}
