package dev.graft.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TerminalTest {

    @Test
    void aLineIsRedrawnOnlyWhereItCanBe() {
        assertThat(Terminal.canRedraw(Map.of("TERM", "xterm-256color"))).isTrue();
        assertThat(Terminal.canRedraw(Map.of("TERM", "dumb"))).isFalse();
        assertThat(Terminal.canRedraw(Map.of())).isFalse();
        assertThat(Terminal.canRedraw(Map.of("TERM", "xterm", "CI", "true"))).isFalse();
    }

    @Test
    void aPipeIsNoTerminal() throws Exception {
        Process child = new ProcessBuilder(
                        System.getProperty("java.home") + "/bin/java",
                        "-cp",
                        System.getProperty("java.class.path"),
                        IsLive.class.getName())
                .redirectErrorStream(true)
                .start();
        assertThat(new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .isEqualTo("false\n");
    }

    static final class IsLive {
        public static void main(String[] arguments) {
            System.out.println(Terminal.isLive());
        }
    }
}
