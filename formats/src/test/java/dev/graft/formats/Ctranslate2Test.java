package dev.graft.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Ctranslate2Test {
    @TempDir
    private Path folder;

    /** A file of two variables and an alias, written as CTranslate2 does. */
    private static byte[] file(int version, int size) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        put(out, version, 4);
        text(out, "WhisperSpec");
        put(out, 3, 4);
        put(out, 2, 4);
        text(out, "encoder/weight");
        put(out, 2, 1);
        put(out, 2, 4);
        put(out, 3, 4);
        put(out, 0, 1);
        put(out, size, 4);
        for (int i = 0; i < 6; i++) {
            put(out, Float.floatToIntBits(i / 2f), 4);
        }
        text(out, "encoder/heads");
        put(out, 0, 1);
        put(out, 2, 1);
        put(out, 2, 4);
        put(out, 6, 2);
        put(out, 1, 4);
        text(out, "decoder/weight");
        text(out, "encoder/weight");
        return out.toByteArray();
    }

    private static void put(ByteArrayOutputStream out, int value, int bytes) {
        byte[] whole = ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array();
        out.write(whole, 0, bytes);
    }

    private static void text(ByteArrayOutputStream out, String text) {
        put(out, text.length() + 1, 2);
        out.writeBytes(text.getBytes(StandardCharsets.UTF_8));
        out.write(0);
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("model.bin"), bytes);
    }

    @Test
    void readsVariablesAndTheirOtherNames() throws IOException {
        try (Ctranslate2 model = Ctranslate2.open(write(file(6, 24)))) {
            assertThat(model.specification()).isEqualTo("WhisperSpec");
            assertThat(model.names()).containsExactly("encoder/weight", "encoder/heads", "decoder/weight");
            assertThat(model.info("decoder/weight")).hasToString("decoder/weight F32 [2, 3]");
            assertThat(model.tensor("decoder/weight").floats()).containsExactly(0, 0.5f, 1, 1.5f, 2, 2.5f);
            assertThat(model.tensor("encoder/heads").floats()).containsExactly(6);
            assertThatThrownBy(() -> model.bytes("encoder/weigh"))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("encoder/weight");
        }
    }

    @Test
    void refusesOtherVersionsAndSizesThatDoNotFit() throws IOException {
        Path old = write(file(4, 24));
        assertThatThrownBy(() -> Ctranslate2.open(old))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("the version is 4, expected 6");
        Path wrong = write(file(6, 20));
        assertThatThrownBy(() -> Ctranslate2.open(wrong))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("has 24 bytes, the file says 20");
    }

    @Test
    void damagedFilesAreRefusedOrRead() throws IOException {
        byte[] whole = file(6, 24);
        Random random = new Random(2);
        int refused = 0;
        for (int i = 0; i < 400; i++) {
            byte[] bytes = Arrays.copyOf(whole, i % 2 == 0 ? random.nextInt(whole.length) : whole.length + i % 5);
            if (bytes.length > 0) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            try (Ctranslate2 model = Ctranslate2.open(write(bytes))) {
                model.names().forEach(model::bytes);
            } catch (FormatException e) {
                refused++;
            }
        }
        assertThat(refused).isGreaterThan(200);
    }
}
