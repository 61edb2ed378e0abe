package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every file that breaks a rule of the format is refused for that reason. */
class SafetensorsRulesTest {

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7})
    void filesWithoutRoomForALength(int size) {
        refused(
                Fixtures.write(folder.resolve("short"), new byte[size]),
                "too small for a safetensors file: " + size + " bytes");
    }

    @ParameterizedTest
    @CsvSource({
        "9223372036854775807, expected at most 100000000",
        "-1, header length is 18446744073709551615",
        "100000001, expected at most 100000000",
        "3, but only 2 bytes follow",
        "0, header does not start with {"
    })
    void headerLengthsThatCannotBe(long length, String reason) {
        refused(Fixtures.safetensors(folder, length, "{}".getBytes(StandardCharsets.UTF_8), 0), reason);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            ignoreLeadingAndTrailingWhitespace = true,
            value = {
                "[] | does not start with {",
                "`  {}` | does not start with {",
                "{\"a\" | ends too early",
                "{} x | not valid JSON",
                "{}{} | more follows after the end",
                "{\"a\":1} | expected an object for tensor a",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}} | needs dtype, shape and data_offsets",
                "{\"a\":{\"dtype\":\"X9\",\"shape\":[1],\"data_offsets\":[0,4]}} | dtype \"X9\" is not supported, expected one of F64, F32",
                "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}} | expected a string as dtype of tensor a",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":0}} | unknown field \"x\"",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}} | expected an array as shape",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}} | whole numbers from 0 to 2^63-1 in shape",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}} | whole numbers from 0 to 2^63-1 in shape",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}} | more than 2 numbers in data_offsets",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}} | a begin and an end",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}} | ends before it begins",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}} | in data_offsets",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1.5]}} | in data_offsets",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1e400]}} | in data_offsets",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,18446744073709551616]}} | in data_offsets",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}} | needs 8 bytes, its data_offsets [0, 4] hold 4",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}} | more bytes than 63 bits",
                "{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,4]}} | more bytes than 63 bits",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} | starts at offset 4, expected 0 (bytes before it",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} | it overlaps another",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}} | it is cut off",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} | the rest belongs to no tensor",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} | the key \"a\" appears twice",
                "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} | the key \"dtype\" appears twice",
                "{\"__metadata__\":{},\"__metadata__\":{}} | the key \"__metadata__\" appears twice",
                "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}} | the key \"k\" appears twice",
                "{\"__metadata__\":{\"k\":1}} | hold strings only, but \"k\" is none",
                "{\"__metadata__\":{\"k\":{}}} | hold strings only",
                "{\"__metadata__\":\"x\"} | __metadata__ to be an object"
            })
    void headersThatBreakARule(String header, String reason) {
        refused(Fixtures.safetensors(folder, header, 8), reason);
    }

    @Test
    void headersThatAreNotUtf8() {
        byte[] json = "{\"a?\":1}".getBytes(StandardCharsets.ISO_8859_1);
        json[3] = (byte) 0xff;
        refused(Fixtures.safetensors(folder, json.length, json, 0), "(header):1:4: not valid UTF-8");
    }

    @Test
    void headersThatAreNestedWithoutEndOrHaveTooManyEntriesAreRefusedInTime() {
        refused(Fixtures.safetensors(folder, "{\"a\":".repeat(1_000_000), 0), "");
        StringBuilder many = new StringBuilder("{");
        for (int i = 0; i < 300_000; i++) {
            many.append("\"").append(i).append("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},");
        }
        Path file = Fixtures.safetensors(folder, many.append("\"x\":1}").toString(), 0);
        Assertions.assertTimeout(Duration.ofSeconds(5), () -> refused(file, "more than 250000 tensors"));
    }

    @Test
    void paddingAndEmptyTensorsAreFine() {
        Path file = Fixtures.safetensors(
                folder,
                "{\"b\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[],"
                        + "\"data_offsets\":[0,1]}}  \n ",
                1);
        try (Safetensors read = Safetensors.open(file)) {
            assertThat(read.names()).containsExactly("b", "a");
            assertThat(read.bytes("b").remaining()).isZero();
            assertThat(read.tensor("a").floats()).containsExactly(0);
        }
    }

    private static void refused(Path file, String reason) {
        assertThatThrownBy(() -> Safetensors.open(file))
                .isInstanceOf(FormatException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(reason);
    }
}
