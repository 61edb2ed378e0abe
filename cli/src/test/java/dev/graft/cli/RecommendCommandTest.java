package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class RecommendCommandTest {
    @TempDir
    private Path folder;

    private Path rows;

    @BeforeEach
    void rows() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 16; i++) {
            String word = i % 2 == 0 ? "cat" : "dog";
            text.append("{\"text\": \"" + word + " " + i + "\", \"label\": \"" + word + "\"}\n");
        }
        rows = Files.writeString(folder.resolve("rows.jsonl"), text);
    }

    private Cli recommend(String... more) {
        Object[] words = new Object[more.length + 7];
        System.arraycopy(
                new Object[] {"recommend", "--model", "file:" + Cli.base("bert-base"), "--data", rows, "--methods", "2"
                },
                0,
                words,
                0,
                7);
        System.arraycopy(more, 0, words, 7, more.length);
        return Cli.run(words);
    }

    @Test
    void methodsWithTheBestRecordsAreTriedAndTheFirstHasItsCommand() {
        Cli run = recommend("max_steps=6", "--json");

        assertThat(run.code()).as(run.err()).isZero();
        JsonNode methods = run.json().get("methods");
        assertThat(methods.size()).isGreaterThanOrEqualTo(2);
        assertThat(methods.get(0).get("known").stringValue()).contains("on wordnet of minilm");
        assertThat(run.json().get("first").stringValue())
                .isEqualTo(methods.valueStream()
                        .filter(each -> each.get("fits").booleanValue())
                        .findFirst()
                        .orElseThrow()
                        .get("method")
                        .stringValue());
    }

    @Test
    void whatDoesNotFitSaysWhyAndNothingThatFitsIsAFailure() {
        Cli run = recommend("max_steps=100000", "--budget", "time=1s");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.out()).contains("no: takes longer").contains("nothing fits");
        assertThat(recommend("--budget", "time=soon").err()).contains("--budget has \"time=soon\"");
        assertThat(recommend("--budget", "time=soon").code()).isEqualTo(2);
        Cli auto = recommend("quantization=auto");
        assertThat(auto.code()).isEqualTo(2);
        assertThat(auto.err()).contains("quantization is auto", "name a kind: none, int8 or nf4");
        assertThat(recommend("--records", folder.toString()).err()).contains("no finished comparison");
    }
}
