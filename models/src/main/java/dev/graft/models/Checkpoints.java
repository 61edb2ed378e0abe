package dev.graft.models;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.formats.ShardedSafetensors;
import dev.graft.formats.TensorSource;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opens checkpoints by the files that are there. */
final class Checkpoints {
    private Checkpoints() {}

    /** Opens a Hugging Face folder. */
    static Checkpoint open(Path path) {
        Path config = path.resolve("config.json");
        if (!Files.exists(config)) {
            throw new InputException(path + ": no model here: expected a folder with config.json and *.safetensors");
        }
        Path index = path.resolve("model.safetensors.index.json");
        Path single = path.resolve("model.safetensors");
        if (!Files.exists(index) && !Files.exists(single)) {
            throw new InputException(
                    path + ": has config.json but neither model.safetensors nor model.safetensors.index.json");
        }
        TensorSource tensors = Files.exists(index) ? ShardedSafetensors.open(index) : Safetensors.open(single);
        return new Checkpoint(Fields.read(config), tensors, path);
    }
}
