package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServeCommandTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"--pin=nobody", "--compose=both=nobody:0.5"})
    void anAdapterThatIsMissingIsMissedBeforeTheBaseIsLoaded(String option) {
        Cli run = Cli.run("serve", folder.resolve("no-base"), "--adapters", folder, option);

        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).isEqualTo("there is no adapter \"nobody\" in the adapters' folder\n");
    }

    @Test
    void aPortThatIsTakenIsMissedBeforeTheBaseIsLoaded() throws IOException {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Cli run = Cli.run("serve", folder.resolve("no-base"), "--port", other.getLocalPort());

            assertThat(run.code()).isEqualTo(2);
            assertThat(run.err())
                    .startsWith("can't listen at 127.0.0.1:" + other.getLocalPort() + ": ")
                    .contains("choose another --port");
        }
    }
}
