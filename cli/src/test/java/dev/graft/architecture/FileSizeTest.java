package dev.graft.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collection;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Files can be read in one sitting, and tests are named as all methods are. */
class FileSizeTest {
    private static final int MOST_LINES = 500;

    private static final Pattern SNAKE_CASE = Pattern.compile("\\b(?:void|boolean) (\\w+_\\w*) ?\\(");

    @Test
    void noFileIsLong() {
        assertThat(tooLong(SourceFile.java()))
                .as("files of more than %d lines: split them by concept", MOST_LINES)
                .isEmpty();
    }

    @Test
    void noTestIsNamedInSnakeCase() {
        assertThat(SourceFile.tests().stream().flatMap(file -> file.find(SNAKE_CASE)))
                .as("test methods in snake_case: write their names in camelCase")
                .isEmpty();
    }

    @Test
    void aLongFileAndASnakeAreFound() {
        assertThat(tooLong(List.of(
                        new SourceFile("Long.java", "\n".repeat(MOST_LINES + 1)),
                        new SourceFile("Short.java", "\n".repeat(MOST_LINES)))))
                .containsExactly("Long.java: 501 lines");
        assertThat(new SourceFile("ATest.java", "void is" + "A_snake() {\n void isNone() { a_b(); }").find(SNAKE_CASE))
                .containsExactly("ATest.java:1: isA_snake");
    }

    private static Stream<String> tooLong(Collection<SourceFile> files) {
        return files.stream()
                .filter(file -> lines(file) > MOST_LINES)
                .map(file -> file.path() + ": " + lines(file) + " lines");
    }

    private static long lines(SourceFile file) {
        return file.text().lines().count();
    }
}
