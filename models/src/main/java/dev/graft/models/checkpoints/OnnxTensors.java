package dev.graft.models.checkpoints;

import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/** Initialisers of ONNX graphs under their Hugging Face names. */
abstract class OnnxTensors implements ConvertedTensors {
    /** The initialisers by their Hugging Face names. */
    final Map<String, OnnxMatrix> stored;

    private final String family;
    private final Onnx file;

    /**
     * Exposes initialisers.
     *
     * @param family the name of the model in messages
     * @param file the graph in messages
     */
    OnnxTensors(String family, Onnx file, Map<String, OnnxMatrix> stored) {
        this.family = family;
        this.file = file;
        this.stored = stored;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        return find(name).info(name);
    }

    @Override
    public ByteBuffer bytes(String name) {
        return find(name).bytes(name);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        find(name).read(name, into);
    }

    private OnnxMatrix find(String name) {
        OnnxMatrix tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a " + family);
        }
        return tensor;
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
