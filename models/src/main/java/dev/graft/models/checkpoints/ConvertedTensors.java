package dev.graft.models.checkpoints;

import dev.graft.formats.TensorSource;
import java.nio.file.Path;
import java.util.Map;

/** The tensors of a file as a Hugging Face model has them: under other names, or in other types. */
interface ConvertedTensors extends TensorSource {
    /** What is converted. */
    TensorSource file();

    @Override
    default Map<String, String> metadata() {
        return file().metadata();
    }

    @Override
    default Path path() {
        return file().path();
    }

    @Override
    default void close() {
        file().close();
    }
}
