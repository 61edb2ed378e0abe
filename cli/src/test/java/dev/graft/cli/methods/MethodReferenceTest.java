package dev.graft.cli.methods;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** Keeps the reference at the end of each page in docs/methods equal to the code; -Dgraft.docs=write writes it. */
class MethodReferenceTest {
    private static final String START = "## Reference\n";

    private static String written(String page, Method.Type type) {
        int at = page.indexOf("\n" + START);
        String prose = at < 0 ? page.stripTrailing() + "\n" : page.substring(0, at);
        return prose + "\n" + MethodPages.reference(type);
    }

    @Test
    void thePagesSayWhatTheCodeDoes() throws IOException {
        for (Method.Type type : Methods.all()) {
            Path file = Path.of("../docs/methods/" + type.name() + ".md");
            String page = Files.readString(file);
            if ("write".equals(System.getProperty("graft.docs"))) {
                page = written(page, type);
                Files.writeString(file, page);
            }
            if (!page.contains("\n" + START)) {
                continue;
            }
            assertThat(page)
                    .as("the reference in %s is older than the code; run this test with -Dgraft.docs=write", file)
                    .isEqualTo(written(page, type));
        }
    }
}
