package dev.graft.models.checkpoints;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Any file is either a checkpoint whose tensors can be read, or refused with an {@link InputException}. */
class PretrainedCheckpointFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void gguf(byte[] input) throws IOException {
        read(input, ".gguf");
    }

    @FuzzTest(maxDuration = "2m")
    void onnx(byte[] input) throws IOException {
        read(input, ".onnx");
    }

    @FuzzTest(maxDuration = "2m")
    void bitsandbytes(byte[] input) throws IOException {
        readFolder(input, "{\"quantization_config\": {\"quant_method\": \"bitsandbytes\"}}");
    }

    @FuzzTest(maxDuration = "2m")
    void mlx(byte[] input) throws IOException {
        readFolder(input, "{\"quantization\": {\"group_size\": 32, \"bits\": 4}}");
    }

    private static void readFolder(byte[] input, String config) throws IOException {
        Path folder = Files.createTempDirectory("graft-fuzz");
        Path weights = folder.resolve("model.safetensors");
        try {
            Files.write(weights, input);
            Files.writeString(folder.resolve("config.json"), config);
            read(folder);
        } finally {
            Files.deleteIfExists(weights);
            Files.deleteIfExists(folder.resolve("config.json"));
            Files.deleteIfExists(folder);
        }
    }

    private static void read(byte[] input, String ending) throws IOException {
        Path file = Files.createTempFile("graft-fuzz", ending);
        try {
            Files.write(file, input);
            read(file);
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private static void read(Path path) {
        try {
            PretrainedCheckpoint checkpoint = PretrainedCheckpoints.open(path);
            try (TensorSource tensors = checkpoint.tensors()) {
                for (String name : tensors.names()) {
                    tensors.bytes(name);
                }
                checkpoint.endTokens();
            }
        } catch (InputException refused) {
            // refused with its place
        }
    }
}
