package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Messages are for people. Code decides by the type of an exception or by a field of it. */
class ExceptionMessagesTest {
    private static final Pattern DECISION = Pattern.compile("(getMessage\\(\\)\\)?"
            + "(?:\\s*\\.(?:startsWith|endsWith|contains|equals|equalsIgnoreCase|matches|indexOf)\\(|\\s*[!=]=))");

    @Test
    void noCodeDecidesByAMessage() {
        assertThat(SourceFile.main().stream().flatMap(file -> file.find(DECISION)))
                .as("decisions by the message of an exception: give the exception a type or a field of its own")
                .isEmpty();
    }

    @Test
    void aDecisionIsFound() {
        assertThat(decisions("if (e.getMessage().startsWith(\"x\")) {")).isEqualTo(1);
        assertThat(decisions("Objects.requireNonNull(e.getMessage())\n    .contains(\"x\")"))
                .isEqualTo(1);
        assertThat(decisions("e.getMessage() == NONE")).isEqualTo(1);
        assertThat(decisions("throw new E(e.getMessage(), e);")).isZero();
    }

    private static long decisions(String text) {
        return new SourceFile("A.java", text).find(DECISION).count();
    }
}
