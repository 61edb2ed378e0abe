package dev.graft.parity;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/** A small copy of the committed tree, to damage. */
record FixtureTree(Path root) {
    static final Path COMMITTED = Path.of("../parity/fixtures");

    /** Copies folders and files of the committed tree. */
    static FixtureTree of(Path root, String... paths) throws IOException {
        for (String path : paths) {
            try (Stream<Path> files = Files.walk(COMMITTED.resolve(path))) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Path copy = root.resolve(COMMITTED.relativize(file));
                    Files.createDirectories(copy.getParent());
                    Files.copy(file, copy);
                }
            }
        }
        return new FixtureTree(root);
    }

    /** Adds 0.01 to the first value of the first tensor whose name starts so; 1 if it is an integer. */
    FixtureTree damage(String file, String name) {
        Path path = root.resolve(file);
        List<TensorData> tensors = new ArrayList<>();
        boolean done = false;
        try (TensorSource source = Safetensors.open(path)) {
            for (String tensor : source.names().stream().sorted().toList()) {
                TensorInfo info = source.info(tensor);
                ByteBuffer bytes = ByteBuffer.allocate((int) info.bytes()).order(ByteOrder.LITTLE_ENDIAN);
                source.read(tensor, bytes);
                bytes.flip();
                if (!done && tensor.startsWith(name)) {
                    done = true;
                    if (info.dtype().isFloat()) {
                        bytes.putFloat(0, bytes.getFloat(0) + 1e-2f);
                    } else {
                        bytes.putLong(0, bytes.getLong(0) + 1);
                    }
                }
                tensors.add(new TensorData(info, bytes));
            }
        }
        if (!done) {
            throw new IllegalArgumentException(file + " has no tensor that starts with " + name);
        }
        Safetensors.write(path, tensors, java.util.Map.of());
        return this;
    }

    /** Changes a JSON file. */
    FixtureTree edit(String file, Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = (ObjectNode) Json.read(root.resolve(file));
        change.accept(json);
        Files.writeString(root.resolve(file), Json.compact(json));
        return this;
    }

    CaseResult run(String id) {
        return Parity.run(root, result -> {}).cases().stream()
                .filter(result -> result.id().equals(id))
                .findFirst()
                .orElseThrow();
    }
}
