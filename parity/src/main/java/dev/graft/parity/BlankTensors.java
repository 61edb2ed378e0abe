package dev.graft.parity;

import dev.graft.formats.DType;
import dev.graft.formats.InputException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Small tensors of zeros for modules whose values don't matter. */
final class BlankTensors implements TensorSource {
    private static final int SIZE = 4;

    private final Map<String, TensorInfo> infos = new LinkedHashMap<>();

    BlankTensors(Map<String, ModuleTree.Kind> modules) {
        modules.forEach((module, kind) -> {
            boolean isVector = kind == ModuleTree.Kind.NORM;
            long[] shape = new long[isVector ? 1 : 2 + kind.dimensions()];
            Arrays.fill(shape, SIZE);
            add(module + ".weight", shape);
            if (isVector || kind == ModuleTree.Kind.LINEAR || kind == ModuleTree.Kind.CONV1D) {
                add(module + ".bias", SIZE);
            }
        });
    }

    private void add(String name, long... shape) {
        infos.put(ModuleTree.PREFIX + name, new TensorInfo(ModuleTree.PREFIX + name, DType.F32, shape));
    }

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
        return ByteBuffer.allocate((int) info(name).bytes()).asReadOnlyBuffer();
    }

    @Override
    public Map<String, String> metadata() {
        return Map.of();
    }

    @Override
    public Path path() {
        return Path.of("modules");
    }

    @Override
    public void close() {}
}
