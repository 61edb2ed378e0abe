package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

class JsonTest {

    @TempDir
    Path folder;

    @Test
    void prettyTextIsThatOfPython() throws IOException {
        Path file = Fixtures.ROOT.resolve("json/python.json");
        assertThat(Json.pretty(Json.read(file))).isEqualTo(Files.readString(file));
    }

    @Test
    void compactTextIsThatOfPythonInTheOrderOfTheObject() throws IOException {
        Path file = Fixtures.ROOT.resolve("json/python-compact.json");
        assertThat(Json.compact(Json.read(file))).isEqualTo(Files.readString(file));
    }

    @Test
    void everyConfigOfPeftIsWrittenAgainByteForByte() throws IOException {
        try (Stream<Path> all = Files.walk(Fixtures.ROOT.resolve("malformed"))) {
            List<Path> configs = all.filter(path -> path.endsWith("adapter_config.json"))
                    .filter(path -> List.of("good", "float16", "nan", "extra-tensor")
                            .contains(path.getParent().getFileName().toString()))
                    .toList();
            assertThat(configs).hasSize(4);
            for (Path config : configs) {
                assertThat(Json.pretty(Json.read(config))).isEqualTo(Files.readString(config));
            }
        }
    }

    @Property
    void everyDoubleReadsBackAsItself(@ForAll double value) {
        String text = Json.compact(JsonNodeFactory.instance.numberNode(value));
        assertThat(Json.parse("x", text).doubleValue()).isEqualTo(value);
    }

    @Property
    void everyStringReadsBackAsItself(@ForAll String value) {
        String text = Json.pretty(JsonNodeFactory.instance.stringNode(value));
        assertThat(text).matches("[\\x20-\\x7e]*");
        assertThat(Json.parse("x", text).stringValue()).isEqualTo(value);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`` | c.json:1:1: ends too early",
                "{\"r\": 8, \"r\": 8} | c.json:1:10: the key \"r\" appears twice",
                "{\"a\": {\"r\": 1, \"r\": 2}} | the key \"r\" appears twice",
                "{} {} | c.json:1:4: more follows after the end of the value",
                "{} ] | c.json:1:",
                "{\"a\": NaN} | not valid JSON: NaN and Infinity are no numbers here",
                "{\"a\": -Infinity} | not valid JSON: NaN and Infinity",
                "{\"a\": 1e400} | c.json:1:7: the number 1e400 is too large for a double",
                "{\"ü\": 1e400} | c.json:1:7: the number 1e400",
                "{\"a\": 01} | not valid JSON",
                "{\"a\": .5} | not valid JSON",
                "{\"a\": 'x'} | not valid JSON",
                "{\"a\": 1,} | not valid JSON",
                "{\"a\": 1 /* x */} | not valid JSON",
                "{a: 1} | not valid JSON",
                "{\"a\": \"x | c.json:1:",
                "{\"a\" 1} | not valid JSON"
            })
    void textThatIsNotJsonIsRefusedWithItsPlace(String text, String message) {
        refused(text.getBytes(StandardCharsets.UTF_8), message);
    }

    @Test
    void theLineOfAnErrorIsGiven() {
        refused(
                "{\n  \"a\": 1,\n  \"a\": 2\n}".getBytes(StandardCharsets.UTF_8),
                "c.json:3:3: the key \"a\" appears twice");
    }

    @Test
    void byteOrderMarksAndOtherEncodingsAreRefused() {
        refused("\ufeff{}".getBytes(StandardCharsets.UTF_8), "c.json:1:1: starts with a byte order mark");
        refused("{}".getBytes(StandardCharsets.UTF_16), "c.json:1:1: is in UTF-16");
        refused("{\"ä\":1}".getBytes(StandardCharsets.ISO_8859_1), "c.json:1:3: not valid UTF-8");
        refused("{}".getBytes(StandardCharsets.UTF_16LE), "c.json:1:2: holds a zero byte");
        refused("{}".getBytes(StandardCharsets.UTF_16BE), "c.json:1:1: holds a zero byte");
        refused(new byte[] {'1', 0, 0, 0}, "c.json:1:2: holds a zero byte");
        // an overlong slash and half of a surrogate pair
        refused(new byte[] {'"', (byte) 0xc0, (byte) 0xaf, '"'}, "not valid UTF-8");
        refused(new byte[] {'"', (byte) 0xed, (byte) 0xa0, (byte) 0x80, '"'}, "not valid UTF-8");
    }

    @Test
    void nestingWithoutEndIsRefused() {
        refused("[".repeat(1_000_000).getBytes(StandardCharsets.UTF_8), "nested deeper than 256 levels");
        refused("{\"a\":".repeat(1_000_000).getBytes(StandardCharsets.UTF_8), "nested deeper than 256 levels");
        assertThat(Json.parse("x", "[".repeat(256) + "]".repeat(256)).size()).isEqualTo(1);
    }

    @Test
    void notANumberIsReadOnlyWhereAsked() {
        JsonNode read = Json.parseWithNaN("x", "[NaN, -Infinity, Infinity]".getBytes(StandardCharsets.UTF_8));
        assertThat(read.get(0).doubleValue()).isNaN();
        assertThat(read.get(1).doubleValue()).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThatThrownBy(() -> Json.compact(read)).hasMessageContaining("JSON has no NaN");
    }

    @Test
    void filesThatAreNotThereAreBadInput() {
        assertThatThrownBy(() -> Json.read(folder.resolve("no.json")))
                .isInstanceOf(InputException.class)
                .hasMessageEndingWith("no.json: there is no such file");
        assertThatThrownBy(() -> Json.read(folder))
                .isInstanceOf(InputException.class)
                .hasMessageEndingWith("is not a file");
    }

    private static void refused(byte[] text, String message) {
        assertThatThrownBy(() -> Json.parse("c.json", text))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(message);
    }
}
