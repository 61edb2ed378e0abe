package dev.graft.train.data.files;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Any bytes are either rows, each of which can be read again, or refused with an {@link InputException}. */
class DatasetFuzzTest {

    private static void read(byte[] content, String suffix) throws IOException {
        Path file = Files.createTempFile("graft-fuzz", suffix);
        try {
            Files.write(file, content);
            try (Dataset data = Dataset.open(file)) {
                for (int i = 0; i < data.size(); i++) {
                    if (data.get(i).hash() != data.hash(i)) {
                        throw new AssertionError("row " + i + " reads differently the second time");
                    }
                }
                data.detected();
                data.warnings();
            } catch (InputException e) {
                if (!String.valueOf(e.getMessage()).contains(file.getFileName().toString())) {
                    throw new AssertionError("the file is not named", e);
                }
            }
        } finally {
            Files.delete(file);
        }
    }

    @FuzzTest
    void jsonl(byte[] content) throws IOException {
        read(content, ".jsonl");
    }

    @FuzzTest
    void csv(byte[] content) throws IOException {
        read(content, ".csv");
    }

    @FuzzTest
    void columns(byte[] content) throws IOException {
        read(content, ".conll");
    }

    @FuzzTest
    void squad(byte[] content) throws IOException {
        byte[] head = "{\"data\":[".getBytes(StandardCharsets.UTF_8);
        byte[] whole = Arrays.copyOf(head, head.length + content.length);
        System.arraycopy(content, 0, whole, head.length, content.length);
        read(whole, ".json");
    }

    @FuzzTest
    void gzip(byte[] content) throws IOException {
        read(starting(content, 0x1f, 0x8b), ".jsonl.gz");
    }

    @FuzzTest
    void zstandard(byte[] content) throws IOException {
        read(starting(content, 0x28, 0xb5, 0x2f, 0xfd), ".jsonl.zst");
    }

    @FuzzTest
    void bzip2(byte[] content) throws IOException {
        read(starting(content, 'B', 'Z', 'h'), ".jsonl.bz2");
    }

    @FuzzTest
    void xz(byte[] content) throws IOException {
        read(starting(content, 0xfd, '7', 'z', 'X', 'Z', 0), ".jsonl.xz");
    }

    @FuzzTest
    void parquet(byte[] content) throws IOException {
        read(starting(content, 'P', 'A', 'R', '1'), ".parquet");
    }

    private static byte[] starting(byte[] content, int... magic) {
        byte[] whole = content.clone();
        for (int i = 0; i < Math.min(magic.length, whole.length); i++) {
            whole[i] = (byte) magic[i];
        }
        return whole;
    }
}
