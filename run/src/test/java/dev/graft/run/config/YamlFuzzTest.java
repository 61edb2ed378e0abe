package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.util.Collections;

/** Whatever the text: a value that is written back as it was, or a refusal. */
class YamlFuzzTest {

    @FuzzTest(maxDuration = "5s")
    void anyTextIsReadOrRefused(FuzzedDataProvider data) {
        YamlValue value;
        try {
            value = Yaml.read("fuzz", data.consumeRemainingAsString());
        } catch (InputException refused) {
            assertThat(refused).hasMessageStartingWith("fuzz");
            return;
        }
        assertThat(value.size()).isBetween(1, 20_000);
        assertThat(value.shown()).isNotNull();
        Object resolved = value.resolve();
        assertThat(Yaml.read("written", "k: " + YamlText.inline(resolved)).resolve())
                .isEqualTo(Collections.singletonMap("k", resolved));
    }
}
