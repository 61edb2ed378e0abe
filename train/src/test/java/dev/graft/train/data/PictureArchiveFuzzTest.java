package dev.graft.train.data;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import dev.graft.train.data.files.Dataset;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Any bytes are pictures with labels, all of which can be read, or refused with an {@link InputException}. */
class PictureArchiveFuzzTest {

    private static void read(Path folder, Path file, Path... others) throws IOException {
        try (Dataset data = Dataset.open(file)) {
            for (int i = 0; i < data.size(); i++) {
                if (data.get(i) instanceof Row.Image image) {
                    image.picture().read();
                }
            }
        } catch (InputException e) {
            if (!String.valueOf(e.getMessage()).contains(folder.toString())) {
                throw new AssertionError("the file is not named", e);
            }
        } finally {
            Files.delete(file);
            for (Path other : others) {
                Files.delete(other);
            }
            Files.delete(folder);
        }
    }

    @FuzzTest
    void idx(byte[] content) throws IOException {
        Path folder = Files.createTempDirectory("graft-fuzz");
        int cut = content.length == 0 ? 0 : Math.min(content.length, content[0] & 0xFF);
        Path pictures = Files.write(folder.resolve("images-idx3"), Arrays.copyOfRange(content, cut, content.length));
        Path labels = Files.write(folder.resolve("labels-idx1"), Arrays.copyOf(content, cut));
        read(folder, pictures, labels);
    }

    @FuzzTest
    void cifar(byte[] content) throws IOException {
        Path folder = Files.createTempDirectory("graft-fuzz");
        read(folder, Files.write(folder.resolve("test_batch.bin"), content));
    }
}
