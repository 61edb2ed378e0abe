package dev.graft.models.checkpoints;

import dev.graft.formats.TensorSource;
import dev.graft.models.images.ImageProcessor;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The tensors of a file in the form of a Hugging Face model: under other names, or in other types. */
interface ConvertedTensors extends TensorSource {
    /** Returns the processor of the model's pictures if the format implies it, else null. */
    default @Nullable ImageProcessor imageProcessor() {
        return null;
    }

    /** Returns the tensors to convert. */
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
