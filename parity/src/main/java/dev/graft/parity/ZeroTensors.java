package dev.graft.parity;

import dev.graft.formats.DType;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Small tensors of zeros for modules whose values don't matter. */
final class ZeroTensors {
    private static final int SIZE = 4;

    private ZeroTensors() {}

    static TensorSource of(Map<String, ModuleTree.Kind> modules) {
        Map<String, TensorInfo> infos = new LinkedHashMap<>();
        modules.forEach((module, kind) -> {
            boolean isVector = kind == ModuleTree.Kind.NORM;
            long[] shape = new long[isVector ? 1 : 2 + kind.dimensions()];
            Arrays.fill(shape, SIZE);
            add(infos, module + ".weight", shape);
            if (isVector || kind == ModuleTree.Kind.LINEAR || kind == ModuleTree.Kind.CONV1D) {
                add(infos, module + ".bias", SIZE);
            }
        });
        return new GeneratedTensors(
                Path.of("modules"),
                infos,
                info -> ByteBuffer.allocate((int) info.bytes()).asReadOnlyBuffer());
    }

    private static void add(Map<String, TensorInfo> infos, String module, long... shape) {
        String name = ModuleTree.PREFIX + module;
        infos.put(name, new TensorInfo(name, DType.F32, shape));
    }
}
