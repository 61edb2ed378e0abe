package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against files and numbers of the {@code gguf} Python package; {@code parity/python/gguf_goldens.py} makes them. */
class GgufTest {

    private static final Path QUANTS = Fixtures.ROOT.resolve("gguf/quants.gguf");
    private static final Path EXPECTED = Fixtures.ROOT.resolve("gguf/quants.safetensors");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
                "I32"
            })
    void everyTypeDecodesToTheBitsOfTheReference(String type) {
        try (Gguf gguf = Gguf.open(QUANTS);
                Safetensors expected = Safetensors.open(EXPECTED)) {
            assertThat(gguf.type(type)).hasToString(type);
            assertThat(gguf.info(type).shape()).isEqualTo(expected.info(type).shape());
            float[] values = gguf.dequantize(type);
            assertThat(values).containsExactly(expected.tensor(type).floats());
            assertThat(gguf.tensor(type).floats()).containsExactly(values);
            ByteBuffer copied =
                    ByteBuffer.allocate((int) gguf.info(type).bytes() + 5).position(5);
            gguf.read(type, copied);
            assertThat(copied.remaining()).isZero();
            assertThat(gguf.info(type).dtype().toFloats(copied.position(5))).containsExactly(values);
        }
    }

    @TempDir
    Path folder;

    @Test
    void bfloat16IsRoundedFromTheDecodedValues() {
        try (Gguf gguf = Gguf.open(QUANTS)) {
            float[] values = gguf.dequantize("Q4_K");
            ShortBuffer rounded = ShortBuffer.allocate(values.length);
            gguf.dequantizeToBfloat16("Q4_K", rounded);
            ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
            bytes.asShortBuffer().put(rounded);
            assertThat(bytes).isEqualTo(DType.BF16.fromFloats(values));
        }
    }

    @Test
    void fieldsHaveTheirTypes() {
        try (Gguf gguf = Gguf.open(QUANTS)) {
            GgufFields fields = gguf.fields();
            assertThat(gguf.version()).isEqualTo(3);
            assertThat(fields.string("general.architecture")).isEqualTo("llama");
            assertThat(fields.integer("test.u8")).isEqualTo(200);
            assertThat(fields.integer("test.i8")).isEqualTo(-100);
            assertThat(fields.integer("test.u16")).isEqualTo(60000);
            assertThat(fields.integer("test.i16")).isEqualTo(-30000);
            assertThat(fields.integer("test.u32")).isEqualTo(4_000_000_000L);
            assertThat(fields.integer("test.i32")).isEqualTo(-2_000_000_000);
            assertThat(fields.integer("test.i64")).isEqualTo(-(1L << 62));
            assertThat(fields.value("test.u64"))
                    .isEqualTo(BigInteger.TWO.pow(64).subtract(BigInteger.ONE));
            assertThat(fields.value("test.f32")).isEqualTo(0.1f);
            assertThat(fields.number("test.f64")).isEqualTo(0.1);
            assertThat(fields.bool("test.bool", false)).isTrue();
            assertThat(fields.string("test.string")).isEqualTo("grüße 木");
            assertThat(fields.strings("test.strings")).containsExactly("a", "Ġb", "");
            assertThat(fields.integers("test.integers")).containsExactly(1, -2, 3);
            assertThat(fields.floats("test.floats")).containsExactly(0.5f, -1.25f);
            assertThat(fields.integer("test.absent", 7)).isEqualTo(7);
            assertThat(gguf.metadata()).containsEntry("test.strings", "[3]").containsEntry("test.u8", "200");
        }
    }

    @Test
    void aFileThatWasCutIsRefused() throws Exception {
        Path file = Fixtures.write(folder.resolve("cut.gguf"), Fixtures.bytes(QUANTS));
        try (Gguf gguf = Gguf.open(file)) {
            Fixtures.write(file, new byte[100]);
            assertThatThrownBy(() -> gguf.dequantize("Q6_K"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("changed since it was opened: it had");
        }
    }

    @Test
    void fieldsOfAnotherTypeOrNameAreRefused() {
        try (Gguf gguf = Gguf.open(QUANTS)) {
            assertThatThrownBy(() -> gguf.fields().integer("test.string"))
                    .isInstanceOf(InputException.class)
                    .hasMessageEndingWith("test.string is grüße 木, expected an integer");
            assertThatThrownBy(() -> gguf.fields().strings("test.integers"))
                    .hasMessageEndingWith("test.integers is [3], expected an array of strings");
            assertThatThrownBy(() -> gguf.fields().integer("test.u88"))
                    .hasMessageContaining("has no key test.u88, expected an integer, did you mean \"test.u8\"?");
            assertThatThrownBy(() -> gguf.info("Q4_X"))
                    .hasMessageContaining("has no tensor \"Q4_X\", did you mean \"Q4_");
        }
    }
}
