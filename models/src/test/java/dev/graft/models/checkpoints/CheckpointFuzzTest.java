package dev.graft.models.checkpoints;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Any file is either a checkpoint whose tensors can be read, or refused with an {@link InputException}. */
class CheckpointFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void gguf(byte[] input) throws IOException {
        read(input, ".gguf");
    }

    @FuzzTest(maxDuration = "2m")
    void onnx(byte[] input) throws IOException {
        read(input, ".onnx");
    }

    private static void read(byte[] input, String ending) throws IOException {
        Path file = Files.createTempFile("graft-fuzz", ending);
        try {
            Files.write(file, input);
            Checkpoint checkpoint = Checkpoint.open(file);
            try (TensorSource tensors = checkpoint.tensors()) {
                for (String name : tensors.names()) {
                    tensors.bytes(name);
                }
                checkpoint.endTokens();
            }
        } catch (InputException refused) {
            // refused with its place
        } finally {
            Files.deleteIfExists(file);
        }
    }
}
