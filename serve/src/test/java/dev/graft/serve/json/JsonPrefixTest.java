package dev.graft.serve.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.graft.formats.Json;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

class JsonPrefixTest {
    private static JsonPrefix read(byte[] bytes) {
        JsonPrefix text = JsonPrefix.BEGIN;
        for (byte b : bytes) {
            text = text == null ? null : text.advance(b & 0xff);
        }
        return text;
    }

    private static JsonPrefix read(String json) {
        return read(json.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                " {\n} ",
                "{\"a\":1}",
                "{\"a\" : [ ] , \"b\":[1,-0,2.5,0.1e-7,3E+2,10]}",
                "{\"\":{\"x\":[{},[],[[{\"y\":null}]]]},\"t\":true,\"f\":false}",
                "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD7ff\\ufFfF é € 😀\"}"
            })
    void whatIsJsonIsFollowed(String json) {
        Json.parse("test", json);
        JsonPrefix text = read(json.stripTrailing());
        assertThat(text).isNotNull();
        assertThat(text.isComplete()).isTrue();
        for (int end = 1; end < json.stripTrailing().length(); end++) {
            assertThat(read(json.substring(0, end))).as("up to %d", end).isNotNull();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "1",
                "x",
                "{,",
                "{a",
                "{'",
                "{1",
                "{\"a\"}",
                "{\"a\",",
                "{\"a\":}",
                "{\"a\":1,}",
                "{\"a\":1]",
                "{\"a\":[1}",
                "{\"a\":[,",
                "{\"a\":[1,]",
                "{\"a\":01",
                "{\"a\":+1",
                "{\"a\":-}",
                "{\"a\":1.}",
                "{\"a\":.5",
                "{\"a\":1e}",
                "{\"a\":1e5e",
                "{\"a\":1.5.",
                "{\"a\":tru}",
                "{\"a\":nul ",
                "{\"a\":True",
                "{\"a\":NaN",
                "{\"a\":\"\n",
                "{\"a\":\"\\x",
                "{\"a\":\"\\u12g",
                "{\"a\":\"\\ud8",
                "{\"a\":\"\\uDc",
                "{} ",
                "{}{",
                "{\"a\":1 2"
            })
    void whatIsNotIsRefused(String json) {
        assertThat(read(json)).isNull();
    }

    @Test
    void bytesThatAreNoCharactersAreRefused() {
        for (int[] bytes : new int[][] {
            {0x80},
            {0xc0},
            {0xc1},
            {0xf5},
            {0xff},
            {0xc3, '"'},
            {0xe0, 0x80},
            {0xed, 0xa0},
            {0xf0, 0x80},
            {0xf4, 0x90},
            {0xe2, 0x82, 'x'}
        }) {
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            text.writeBytes("{\"".getBytes(StandardCharsets.UTF_8));
            for (int b : bytes) {
                text.write(b);
            }
            assertThat(read(text.toByteArray())).isNull();
        }
    }

    @Test
    void spacesAndDepthHaveAnEnd() {
        assertThat(read("{" + " ".repeat(32))).isNotNull();
        assertThat(read("{" + " ".repeat(33))).isNull();
        assertThat(read("{\"a\":\"" + " ".repeat(99))).isNotNull();
        assertThat(read("{\"a\":" + "[".repeat(61))).isNotNull();
        assertThat(read("{\"a\":" + "[".repeat(62))).isNull();
        assertThat(read("{\"a\":" + "[".repeat(61) + "]".repeat(61) + "}").isComplete())
                .isTrue();
    }

    /** Whatever bytes are chosen of those that it allows, what comes out is JSON. */
    @Test
    void whatItAllowsIsJson() {
        Random random = new Random(4);
        for (int run = 0; run < 3000; run++) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            JsonPrefix text = JsonPrefix.BEGIN;
            while (!text.isComplete() && out.size() < 400) {
                List<Integer> may = new ArrayList<>();
                for (int b = 0; b < 256; b++) {
                    if (text.advance(b) != null) {
                        may.add(b);
                    }
                }
                assertThat(may).as("after %s", out).isNotEmpty();
                int chosen = may.get(random.nextInt(may.size()));
                // Brackets that close are rare among all bytes.
                for (int close : new int[] {'"', '}', ']'}) {
                    chosen = may.contains(close) && random.nextInt(3) == 0 ? close : chosen;
                }
                out.write(chosen);
                text = text.advance(chosen);
            }
            if (text.isComplete()) {
                String json = out.toString(StandardCharsets.UTF_8);
                assertThat(json).doesNotContain("\ufffd");
                assertThatCode(() -> JsonMapper.shared().readTree(json))
                        .as(json)
                        .doesNotThrowAnyException();
            }
        }
    }
}
