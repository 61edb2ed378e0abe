package dev.graft.run.logits;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;

class TokenIdsFuzzTest {

    @FuzzTest(maxDuration = "10s")
    void anyTextIsABatchOrRefused(byte[] text) {
        try {
            TokenIds ids = TokenIds.of(Fields.of("ids.json", Json.parse("ids.json", text)));
            assertThat(ids.size()).isPositive();
            assertThat(ids.mask()).hasDimensions(ids.size(), ids.width());
            assertThat(ids.ids()).hasDimensions(ids.size(), ids.width());
        } catch (InputException refused) {
            assertThat(refused.getMessage()).startsWith("ids.json");
        }
    }
}
