package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a model of the {@code onnx} Python package ({@code parity/python/onnx_goldens.py}) and hand-made messages. */
class OnnxTest {

    private static final Path TINY = Fixtures.ROOT.resolve("onnx/tiny.onnx");

    @TempDir
    Path folder;

    @Test
    void initialisersHaveTheirValuesHoweverTheyAreStored() {
        try (Onnx onnx = Onnx.open(TINY)) {
            assertThat(onnx.info("onnx::MatMul_12"))
                    .isEqualTo(new TensorInfo("onnx::MatMul_12", DType.F32, new long[] {2, 3}));
            assertThat(onnx.tensor("onnx::MatMul_12").floats()).containsExactly(0, 0.25f, 0.5f, 0.75f, 1, 1.25f);
            assertThat(onnx.info("w_quantized").dtype()).isEqualTo(DType.I8);
            assertThat(onnx.tensor("w_quantized").floats()).containsExactly(-128, 0, 127);
            assertThat(onnx.info("w_zero_point").dtype()).isEqualTo(DType.U8);
            assertThat(onnx.tensor("w_zero_point").floats()).containsExactly(0, 128, 255);
            assertThat(onnx.info("scalar").shape()).isEmpty();
            assertThat(onnx.bytes("scalar").getLong(0)).isEqualTo(7);
            assertThat(onnx.tensor("encoder.layer.0.dense.bias").floats()).containsExactly(0.5f, -1.5f, 2);
            assertThat(onnx.tensor("halves").floats()).containsExactly(0.099975586f, -2);
            assertThat(onnx.tensor("bytes").floats()).containsExactly(-5, 5);
            assertThat(onnx.bytes("longs").getLong(0)).isEqualTo(-(1L << 62));
            assertThat(onnx.bytes("doubles").getDouble(0)).isEqualTo(0.1);
            assertThat(onnx.metadata()).containsEntry("author", "nobody");
        }
    }

    @Test
    void whatIsCopiedIsWhatIsMapped() {
        try (Onnx onnx = Onnx.open(TINY)) {
            for (String name : onnx.names()) {
                ByteBuffer mapped = onnx.bytes(name);
                int length = mapped.remaining();
                ByteBuffer whole = ByteBuffer.allocate(length);
                onnx.read(name, whole);
                assertThat(whole.flip()).as(name).isEqualTo(mapped);
                ByteBuffer end = ByteBuffer.allocate(length);
                onnx.read(name, length / 2, length - length / 2, end);
                assertThat(end.flip()).as(name).isEqualTo(mapped.slice(length / 2, length - length / 2));
            }
            assertThatThrownBy(() -> onnx.read("longs", 1, onnx.info("longs").bytes(), ByteBuffer.allocate(99)))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @Test
    void typesWithoutACounterpartAreLeftOutAndRefusedByName() {
        try (Onnx onnx = Onnx.open(TINY)) {
            assertThat(onnx.names()).hasSize(9).doesNotContain("strings");
            assertThatThrownBy(() -> onnx.info("strings"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("initialiser strings has the ONNX type 8, which is not supported");
            assertThatThrownBy(() -> onnx.bytes("halve")).hasMessageContaining("did you mean \"halves\"?");
        }
    }

    @Test
    void nodesSayWhichInitialiserBelongsToWhichLayer() {
        try (Onnx onnx = Onnx.open(TINY)) {
            assertThat(onnx.nodes())
                    .containsExactly(
                            new Onnx.Node(
                                    "/encoder/layer.0/dense/MatMul",
                                    "MatMul",
                                    List.of("x", "onnx::MatMul_12"),
                                    List.of("y"),
                                    Map.of()),
                            new Onnx.Node(
                                    "/encoder/layer.0/dense/Add",
                                    "Add",
                                    List.of("encoder.layer.0.dense.bias", "y"),
                                    List.of("z"),
                                    Map.of()));
        }
    }

    @Test
    void dataInOtherFilesIsRefusedByName() {
        byte[] name = bytes(8, "weight".getBytes(StandardCharsets.UTF_8));
        byte[] reference = bytes(13, bytes(1, "location".getBytes(StandardCharsets.UTF_8)));
        refused(model(initialiser(name, reference)), "the data of initialiser weight is in another file");
        refused(model(initialiser(name, varint(14, 1))), "the data of initialiser weight is in another file");
    }

    @Test
    void initialisersThatContradictThemselvesAreRefused() {
        byte[] name = bytes(8, new byte[] {'w'});
        byte[] dim = varint(1, 2);
        byte[] f32 = varint(2, 1);
        byte[] raw = bytes(9, new byte[8]);
        assertThat(open(model(initialiser(name, dim, f32, raw))).names()).containsExactly("w");
        refused(model(initialiser(dim, f32, raw)), "an initialiser without a name");
        refused(model(initialiser(name, f32, raw)), "w F32 [] needs 4 bytes, the file holds 8");
        refused(model(initialiser(name, dim, f32)), "needs 8 bytes, the file holds 0");
        refused(model(initialiser(name, varint(1, -2), f32, raw)), "negative size");
        refused(
                model(initialiser(name, varint(1, 1L << 62), varint(1, 1L << 62), f32, raw)),
                "more bytes than 63 bits");
        refused(model(initialiser(name, dim, f32, raw, bytes(4, new byte[8]))), "has its data twice");
        refused(model(initialiser(name, dim, f32, bytes(7, new byte[] {1, 2}))), "in field 7, expected 4");
        refused(
                model(initialiser(name, dim, varint(2, 3), bytes(5, new byte[] {1, (byte) 0xc8, 1}))),
                "of type I8 holds 200");
        refused(
                model(initialiser(name, dim, f32, raw), initialiser(name, dim, f32, raw)),
                "two initialisers are called w");
        refused(model(bytes(15, new byte[0])), "sparse initialiser");
    }

    @Test
    void messagesThatAreNotProtobufAreRefused() {
        refused(new byte[0], "it has no graph");
        refused(new byte[] {0}, "field number 0");
        refused(new byte[] {(byte) 0x3a, (byte) 0x80}, "the message ends inside");
        refused(new byte[] {0x3a, 5, 0}, "a length of 5 where 1 bytes are left");
        refused(concat(new byte[] {0x3a}, number(-1)), "a length of 18446744073709551615");
        refused(new byte[] {0x3b}, "field 7 has wire type 3");
        refused(varint(7, 1), "field 7 has wire type 0, expected 2");
        byte[] endless = new byte[12];
        java.util.Arrays.fill(endless, (byte) 0xff);
        refused(concat(new byte[] {8}, endless), "a number of more than 64 bits");
        refused(concat(model(), model()), "it has two graphs");
    }

    @Test
    void subgraphsNestedWithoutEndAreSkippedAndNotFollowed() {
        byte[] nested = new byte[0];
        for (int i = 0; i < 2000; i++) {
            nested = bytes(1, bytes(5, bytes(6, nested)));
        }
        assertThat(open(model(nested)).nodes()).hasSize(1);
    }

    private Onnx open(byte[] model) {
        Onnx onnx = Onnx.open(Fixtures.write(folder.resolve("made.onnx"), model));
        onnx.close();
        return onnx;
    }

    private void refused(byte[] model, String reason) {
        assertThatThrownBy(() -> open(model))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("made.onnx: not a readable ONNX model: ")
                .hasMessageContaining(reason);
    }

    private static byte[] model(byte[]... graph) {
        return bytes(7, concat(graph));
    }

    private static byte[] initialiser(byte[]... fields) {
        return bytes(5, concat(fields));
    }

    private static byte[] bytes(int field, byte[] value) {
        return concat(number((long) field << 3 | 2), number(value.length), value);
    }

    private static byte[] varint(int field, long value) {
        return concat(number((long) field << 3), number(value));
    }

    private static byte[] number(long value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (long rest = value; ; rest >>>= 7) {
            if (rest >>> 7 == 0) {
                out.write((int) rest);
                return out.toByteArray();
            }
            out.write((int) (rest & 0x7f | 0x80));
        }
    }

    private static byte[] concat(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
