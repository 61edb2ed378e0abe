package dev.graft.parity;

import dev.graft.formats.InputException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Tensors that no file holds.
 *
 * @param path what stands for the file in messages
 * @param values makes a tensor's bytes
 */
record GeneratedTensors(Path path, Map<String, TensorInfo> infos, Function<TensorInfo, ByteBuffer> values)
        implements TensorSource {
    @Override
    public Set<String> names() {
        return infos.keySet();
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = infos.get(name);
        if (info == null) {
            throw new InputException("there is no tensor " + name);
        }
        return info;
    }

    @Override
    public ByteBuffer bytes(String name) {
        return values.apply(info(name));
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public void close() {}
}
