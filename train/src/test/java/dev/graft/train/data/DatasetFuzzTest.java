package dev.graft.train.data;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

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
}
