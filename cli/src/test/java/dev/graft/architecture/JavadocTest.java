package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Javadoc says in its first words what a thing is or does. */
class JavadocTest {
    private static final Pattern ROUNDABOUT = Pattern.compile("/\\*\\*[\\s*]*((?:What|The same|With|Of)\\b[^\n]*)");

    @Test
    void javadocBeginsWithANounOrAVerb() {
        assertThat(SourceFile.main().stream().flatMap(file -> file.find(ROUNDABOUT)))
                .as("Javadoc that begins with What, The same, With or Of: begin with a noun phrase (\"A frozen"
                        + " layer.\") or a verb in the third person (\"Returns ...\")")
                .isEmpty();
    }

    @Test
    void aRoundaboutBeginningIsFound() {
        assertThat(beginnings("/** What it is. */")).isEqualTo(1);
        assertThat(beginnings("/**\n     * The same\n     * for rows.\n */")).isEqualTo(1);
        assertThat(beginnings("/** Without any. */ /** Returns what it is. */ /* What */"))
                .isZero();
    }

    private static long beginnings(String text) {
        return new SourceFile("A.java", text).find(ROUNDABOUT).count();
    }
}
