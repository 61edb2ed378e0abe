package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.math.BigInteger;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class YamlTest {

    static Stream<Arguments> scalars() {
        return Stream.of(
                Arguments.of("1e-5", 1e-5),
                Arguments.of("1E5", 1e5),
                Arguments.of(".5", 0.5),
                Arguments.of("2.", 2.0),
                Arguments.of("-7", -7L),
                Arguments.of("010", 10L),
                Arguments.of("0o10", 8L),
                Arguments.of("0x1F", 31L),
                Arguments.of("99999999999999999999", new BigInteger("99999999999999999999")),
                Arguments.of(".inf", Double.POSITIVE_INFINITY),
                Arguments.of("no", "no"),
                Arguments.of("yes", "yes"),
                Arguments.of("on", "on"),
                Arguments.of("Off", "Off"),
                Arguments.of("1_000", "1_000"),
                Arguments.of("12:30:45", "12:30:45"),
                Arguments.of("2026-01-01", "2026-01-01"),
                Arguments.of("true", true),
                Arguments.of("False", false),
                Arguments.of("'true'", "true"),
                Arguments.of("\"1\"", "1"),
                Arguments.of("!!str 1", "1"),
                Arguments.of("~", null),
                Arguments.of("", null),
                Arguments.of("null", null));
    }

    @ParameterizedTest
    @MethodSource("scalars")
    void scalarsAreReadByTheCoreSchemaOfYaml12(String yaml, Object value) {
        assertThat(read("k: " + yaml + "\n")).isEqualTo(Collections.singletonMap("k", value));
    }

    @Test
    void collectionsAndBlocksAreRead() {
        assertThat(read("a:\n- 1\n- {b: [x, y]}\nc: |\n  two\n  lines\nd: >-\n  one\n  line\n"))
                .isEqualTo(Map.of(
                        "a", List.of(1L, Map.of("b", List.of("x", "y"))), "c", "two\nlines\n", "d", "one line"));
    }

    @Test
    void aliasesStandForWhatTheyName() {
        assertThat(read("a: &x [1, 2]\nb: *x\n")).isEqualTo(Map.of("a", List.of(1L, 2L), "b", List.of(1L, 2L)));
    }

    @Test
    void aliasesThatMultiplyAreRefused() {
        StringBuilder bomb = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        IntStream.range(1, 12)
                .forEach(i -> bomb.append("a" + i + ": &a" + i + " ["
                        + String.join(", ", Collections.nCopies(10, "*a" + (i - 1))) + "]\n"));
        refused(bomb.toString(), "f:5: more than 20000 values, aliases counted by what they stand for");
    }

    @Test
    void anAliasInsideItselfIsRefused() {
        refused("a: &x [*x]\n", "f:1: *x names nothing that is complete before it");
        refused("a: *y\n", "f:1: *y names nothing that is complete before it");
    }

    @Test
    void aKeyTwiceIsRefusedWithBothLines() {
        refused("a: 1\nb: 2\na: 3\n", "f:3: a is given twice, first on line 1");
        refused("a:\n  b: 1\n  'b': 2\n", "f:3: b is given twice, first on line 2");
    }

    @Test
    void otherTagsComplexKeysAndSecondDocumentsAreRefused() {
        refused("a: !!java.net.URL x\n", "f:1: tag tag:yaml.org,2002:java.net.URL is not supported; remove it");
        refused("a: 1\n? [x]\n: 1\n", "f:2: a key must be a word");
        refused("a: 1\n---\nb: 1\n", "f:2: a second document starts here, expected one");
    }

    @Test
    void depthIsBounded() {
        refused("[".repeat(5000) + "]".repeat(5000), "f:1: nested deeper than 32");
    }

    @Test
    void brokenSyntaxIsRefusedWithItsLine() {
        assertThatThrownBy(() -> Yaml.read("f", "a: 1\nb: [1, 2\nc: 3\n"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("f:3: not YAML: ");
        assertThatThrownBy(() -> Yaml.read("f", "a: \"x\n"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("f:");
        assertThatThrownBy(() -> Yaml.read("f", "a:\n\t- x\n")).hasMessageStartingWith("f:2: not YAML: ");
    }

    @Test
    void valuesKnowTheirLines() {
        YamlValue.Mapping document = (YamlValue.Mapping) Yaml.read("f", "a: 1\n\nb:\n  - x\n");
        assertThat(document.entries().get("b").keyLine()).isEqualTo(3);
        assertThat(document.entries().get("b").value().line()).isEqualTo(4);
    }

    @Property(tries = 300)
    void whatIsWrittenIsReadBack(@ForAll("values") Object value) {
        assertThat(Yaml.read("f", "k: " + YamlText.inline(value) + "  # comment\n")
                        .resolve())
                .isEqualTo(Map.of("k", value));
    }

    @Provide
    Arbitrary<Object> values() {
        Arbitrary<Object> scalars = Arbitraries.oneOf(
                Arbitraries.strings().excludeChars(surrogates()).ofMaxLength(12).asGeneric(),
                Arbitraries.of(
                                "", "no", "true", "1e5", "0x1", "a: b", "a #b", "- a", "*a", "&a", "~", "null", ".inf",
                                "a,b", "?")
                        .asGeneric(),
                Arbitraries.longs().asGeneric(),
                Arbitraries.doubles().asGeneric(),
                Arbitraries.of(true, false).asGeneric());
        return Arbitraries.oneOf(
                scalars,
                scalars.list().ofMaxSize(4).asGeneric(),
                Arbitraries.maps(Arbitraries.strings().alpha().numeric().ofMaxLength(5), scalars)
                        .ofMaxSize(4)
                        .asGeneric());
    }

    /** Halves of a pair are no text. */
    private static char[] surrogates() {
        char[] surrogates = new char[0x800];
        for (int i = 0; i < surrogates.length; i++) {
            surrogates[i] = (char) (0xd800 + i);
        }
        return surrogates;
    }

    private static Object read(String yaml) {
        return Yaml.read("f", yaml).resolve();
    }

    private static void refused(String yaml, String message) {
        assertThatThrownBy(() -> Yaml.read("f", yaml))
                .isInstanceOf(InputException.class)
                .hasMessage(message);
    }
}
