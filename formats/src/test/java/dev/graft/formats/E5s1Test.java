package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class E5s1Test {
    @TempDir
    private Path folder;

    /** A model of one token, hidden size 32, with two tensors: scale 0.5, all nibbles 10, and the numbers from 0 on. */
    static byte[] tiny() {
        ByteBuffer out = ByteBuffer.allocate(1024).order(ByteOrder.LITTLE_ENDIAN);
        out.put("E5S1".getBytes(StandardCharsets.UTF_8)).putInt(1);
        for (int size : new int[] {32, 1, 2, 64, 1, 3, 2}) {
            out.putInt(size);
        }
        out.putFloat(1e-12f).putInt(32);
        List<String> pieces = List.of("<s>", "<pad>", "</s>", "<unk>", "▁a");
        out.putInt(pieces.size()).putInt(0).putInt(2).putInt(1).putInt(3);
        byte[] blob = String.join("", pieces).getBytes(StandardCharsets.UTF_8);
        out.putLong(blob.length);
        int start = 0;
        for (String piece : pieces) {
            out.putInt(start);
            start += piece.getBytes(StandardCharsets.UTF_8).length;
        }
        out.putInt(start);
        for (int i = 0; i < pieces.size(); i++) {
            out.putFloat(-i);
        }
        out.put(blob);
        out.putInt(1).putInt(13).putInt('½').put((byte) 2).putInt('1').putInt('2');
        out.putInt(2);
        directory(out, "emb.word", 1, 32, 600, 18);
        directory(out, "l0.q.b", 0, 32, 640, 128);
        out.position(600);
        out.putShort((short) 0x3800);
        for (int i = 0; i < 16; i++) {
            out.put((byte) 0xaa);
        }
        out.position(640);
        for (int i = 0; i < 32; i++) {
            out.putFloat(i);
        }
        byte[] bytes = new byte[out.position()];
        out.flip().get(bytes);
        return bytes;
    }

    private static void directory(ByteBuffer out, String name, int type, int elements, long start, long bytes) {
        out.putShort((short) name.length()).put(name.getBytes(StandardCharsets.UTF_8));
        out.put((byte) type).putInt(elements).putLong(start).putLong(bytes);
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("model.bin"), bytes);
    }

    @Test
    void sizesPiecesAndTensorsAreRead() throws IOException {
        Path file = write(tiny());
        assertThat(E5s1.is(file)).isTrue();
        try (E5s1 read = E5s1.open(file)) {
            assertThat(read.sizes()).isEqualTo(new E5s1.Sizes(32, 1, 2, 64, 1, 3, 2, 1e-12f));
            assertThat(read.pieces().texts()).containsExactly("<s>", "<pad>", "</s>", "<unk>", "▁a");
            assertThat(read.pieces().scores()).containsExactly(0, -1, -2, -3, -4);
            assertThat(read.pieces().replaced()).isEqualTo(Map.of((int) '½', "12"));
            assertThat(read.names()).containsExactly("emb.word", "l0.q.b");
            assertThat(read.tensor("emb.word").floats()).hasSize(32).containsOnly(1f);
            assertThat(read.tensor("l0.q.b").floats()).startsWith(0, 1, 2).hasSize(32);
            assertThatThrownBy(() -> read.info("l0.q.w")).hasMessageContaining("l0.q.b");
        }
    }

    @Test
    void whatIsCutOrContradictsItselfIsRefused() throws IOException {
        byte[] whole = tiny();
        for (int length = 0; length < whole.length; length += 7) {
            Path cut = write(java.util.Arrays.copyOf(whole, length));
            assertThatThrownBy(() -> E5s1.open(cut))
                    .isInstanceOf(FormatException.class)
                    .hasMessageStartingWith(cut.toString());
        }
        refused(4, 2, "version 2");
        refused(8, 33, "blocks of 32");
        refused(44, 0x7fffffff, "number of pieces");
        refused(60, 9, "id 9");
    }

    private void refused(int at, int value, String message) throws IOException {
        byte[] bytes = tiny();
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
        Path file = write(bytes);
        assertThatThrownBy(() -> E5s1.open(file))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining(message);
    }
}
