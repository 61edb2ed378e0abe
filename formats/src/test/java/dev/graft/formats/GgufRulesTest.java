package dev.graft.formats;

import static dev.graft.formats.GgufBytes.header;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The hand-made files of llama.cpp's {@code tests/test-gguf.cpp} and their good twins, and some more. */
class GgufRulesTest {

    private static final long MANY = Long.MAX_VALUE;

    @TempDir
    Path folder;

    @Test
    void badMagic() {
        refused(new GgufBytes().text("FUGG").u32(3).u64(0).u64(0), "does not start with GGUF");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4})
    void versionsThatAreNotRead(long version) {
        refused(
                new GgufBytes().text("GGUF").u32(version).u64(0).u64(0),
                "GGUF version " + version + ", expected 2 or 3");
    }

    @Test
    void bigEndian() {
        refused(new GgufBytes().text("GGUF").u32(0x03000000).u64(0).u64(0), "big endian");
    }

    @Test
    void badNumberOfTensors() {
        refused(header(-1, 0), "number of tensors: 18446744073709551615 is more than the rest of the file can hold");
        refused(header(1, 0), "number of tensors: 1 is more");
    }

    @Test
    void badNumberOfKeys() {
        refused(header(0, -1), "number of keys: 18446744073709551615 is more");
    }

    @Test
    void theEmptyFileIsGood() {
        try (Gguf gguf = open(header(0, 0))) {
            assertThat(gguf.names()).isEmpty();
            assertThat(gguf.fields().keys()).isEmpty();
        }
    }

    @Test
    void version2IsGood() {
        try (Gguf gguf = open(new GgufBytes().text("GGUF").u32(2).u64(0).u64(1).fieldU32("a", 5))) {
            assertThat(gguf.version()).isEqualTo(2);
            assertThat(gguf.fields().integer("a")).isEqualTo(5);
        }
    }

    @Test
    void badKeySize() {
        refused(header(0, 1).u64(-1).text("my_key").u32(4).u32(1), "length of key 0: 18446744073709551615 is more");
        refused(header(0, 1).string("k".repeat(65_536)).u32(4).u32(1), "65536 is more than the 65535 that are read");
    }

    @Test
    void emptyKey() {
        refused(header(0, 1).string("").u32(4).u32(1), "key 0 is empty");
    }

    @Test
    void badFieldType() {
        refused(header(0, 1).string("key").u32(13).u32(1), "key has the unknown type 13");
        refused(header(0, 1).string("key").u32(9).u32(9).u64(0), "key is an array of type 9");
        refused(header(0, 1).string("key").u32(9).u32(13).u64(0), "key is an array of type 13");
    }

    @Test
    void badValueSize() {
        refused(header(0, 1).string("key").u32(8).u64(-1).zeros(8), "length of key: 18446744073709551615 is more");
        refused(header(0, 1).string("key").u32(9).u32(4).u64(MANY).zeros(8), "length of key: " + MANY + " is more");
        refused(header(0, 1).string("key").u32(9).u32(8).u64(2).zeros(8), "length of key: 2 is more");
        refused(header(0, 1).string("key").u32(12).zeros(4), "the file ends inside key");
    }

    @Test
    void badBool() {
        refused(header(0, 1).string("key").u32(7).u8(2), "key is the bool 2, expected 0 or 1");
    }

    @Test
    void stringsThatAreNotUtf8() {
        refused(header(0, 1).string("key").u32(8).u64(2).u8(0xc3).u8(0x28), "key is not valid UTF-8");
    }

    @Test
    void duplicateKey() {
        refused(header(0, 2).fieldU32("key", 1).fieldU32("key", 1), "the key key appears twice");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 13, 48, 0xffffffffL})
    void badAlignment(long alignment) {
        refused(
                header(0, 1).fieldU32("general.alignment", alignment),
                "general.alignment is " + alignment + ", expected a power of two");
    }

    @Test
    void alignmentOfTheWrongType() {
        refused(
                header(0, 1).string("general.alignment").u32(5).u32(32),
                "general.alignment has type 5, expected 4 (u32)");
    }

    @Test
    void tensorNameTooLong() {
        refused(header(1, 0).tensor("t".repeat(64), GgmlType.I8, 0, 4).pad(32).zeros(32), "64 is more than the 63");
        try (Gguf gguf = open(
                header(1, 0).tensor("t".repeat(63), GgmlType.I8, 0, 4).pad(32).zeros(32))) {
            assertThat(gguf.names()).containsExactly("t".repeat(63));
        }
    }

    @Test
    void tooManyDimensions() {
        refused(
                header(1, 0).tensor("t", GgmlType.I8, 0, 1, 1, 1, 1, 1).pad(32).zeros(32),
                "has 5 dimensions, expected at most 4");
        refused(header(1, 0).string("t").u32(-1).zeros(64), "has 4294967295 dimensions");
    }

    @Test
    void negativeShape() {
        refused(header(1, 0).tensor("t", GgmlType.I8, 0, -1).pad(32).zeros(32), "tensor t has the negative size -1");
    }

    @Test
    void aZeroDimensionIsGood() {
        try (Gguf gguf = open(header(1, 0).tensor("t", GgmlType.F32, 0, 0, 3).pad(32))) {
            assertThat(gguf.info("t")).isEqualTo(new TensorInfo("t", DType.F32, new long[] {3, 0}));
            assertThat(gguf.dequantize("t")).isEmpty();
        }
    }

    @Test
    void elementsOverflow() {
        refused(header(1, 0).tensor("t", GgmlType.I8, 0, MANY, 2).zeros(64), "more elements or bytes than 63 bits");
        refused(header(1, 0).tensor("t", GgmlType.I8, 0, 1L << 32, 1L << 32).zeros(64), "more elements or bytes");
    }

    @Test
    void bytesOverflow() {
        refused(header(1, 0).tensor("t", GgmlType.I64, 0, 1L << 60).zeros(64), "more elements or bytes than 63 bits");
    }

    @Test
    void badTensorType() {
        refused(header(1, 0).string("t").u32(1).u64(4).u32(200).u64(0).zeros(64), "tensor t has the unknown type 200");
        refused(header(1, 0).string("t").u32(1).u64(32).u32(4).u64(0).zeros(64), "tensor t has the unknown type 4");
    }

    @Test
    void rowsThatAreNotWholeBlocks() {
        refused(
                header(1, 0).tensor("t", GgmlType.Q4_K, 0, 128, 2).pad(32).zeros(160),
                "not whole blocks of 256 elements (Q4_K)");
    }

    @Test
    void badOffset() {
        refused(header(1, 0).tensor("t", GgmlType.I8, 32, 4).pad(32).zeros(64), "tensor t has offset 32, expected 0");
        refused(header(1, 0).tensor("t", GgmlType.I8, -32, 4).pad(32).zeros(64), "has offset 18446744073709551584");
    }

    @Test
    void duplicateTensor() {
        refused(
                header(2, 0)
                        .tensor("t", GgmlType.I8, 0, 4)
                        .tensor("t", GgmlType.I8, 32, 4)
                        .pad(32)
                        .zeros(64),
                "two tensors are called t");
    }

    @Test
    void offsetsOfAnotherAlignment() {
        refused(
                header(2, 0)
                        .tensor("a", GgmlType.I8, 0, 4)
                        .tensor("b", GgmlType.I8, 4, 4)
                        .pad(32)
                        .zeros(64),
                "tensor b has offset 4, expected 32");
        refused(
                header(2, 1)
                        .fieldU32("general.alignment", 1)
                        .tensor("a", GgmlType.I8, 0, 4)
                        .tensor("b", GgmlType.I8, 32, 4)
                        .zeros(64),
                "tensor b has offset 32, expected 4");
    }

    @Test
    void anOwnAlignmentIsGood() {
        GgufBytes file = header(2, 1)
                .fieldU32("general.alignment", 1)
                .tensor("a", GgmlType.I8, 0, 3)
                .tensor("b", GgmlType.I8, 3, 2);
        try (Gguf gguf = open(file.u8(1).u8(2).u8(3).u8(4).u8(255))) {
            assertThat(gguf.dequantize("a")).containsExactly(1, 2, 3);
            assertThat(gguf.dequantize("b")).containsExactly(4, -1);
        }
    }

    @Test
    void notEnoughData() {
        refused(header(1, 0).tensor("t", GgmlType.F32, 0, 8).pad(32).zeros(31), "the data of tensor t needs bytes");
        refused(header(1, 0).tensor("t", GgmlType.F32, 0, 8), "it is cut off");
    }

    @Test
    void memorySizeOverflow() {
        long size = 0x7FFFFFFFFFFFFFC0L / 8;
        refused(
                header(2, 0)
                        .tensor("a", GgmlType.I64, 0, size)
                        .tensor("b", GgmlType.I64, size * 8, size)
                        .pad(32)
                        .zeros(64),
                "");
        refused(
                header(2, 0)
                        .tensor("a", GgmlType.I8, 0, 0x7FFFFFFFFFFFFFC0L)
                        .tensor("b", GgmlType.I8, 0x7FFFFFFFFFFFFFC0L, 0x7FFFFFFFFFFFFFC0L)
                        .pad(32)
                        .zeros(64),
                "63 bits");
    }

    @Test
    void typesThatCannotBeDecodedAreRefusedByNameButReadable() {
        try (Gguf gguf =
                open(header(1, 0).tensor("t", GgmlType.IQ4_NL, 0, 32).pad(32).zeros(32))) {
            assertThat(gguf.raw("t").remaining()).isEqualTo(18);
            assertThatThrownBy(() -> gguf.dequantize("t"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("tensor t is IQ4_NL, which cannot be decoded");
        }
    }

    private Gguf open(GgufBytes file) {
        return Gguf.open(Fixtures.write(folder.resolve("made.gguf"), file.bytes()));
    }

    private void refused(GgufBytes file, String reason) {
        assertThatThrownBy(() -> open(file))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("made.gguf: at byte ")
                .hasMessageContaining(reason);
    }
}
