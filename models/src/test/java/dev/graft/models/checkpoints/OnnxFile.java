package dev.graft.models.checkpoints;

import dev.graft.formats.TensorData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes an ONNX graph of nodes and initialisers, for tests. */
final class OnnxFile {
    record Node(
            String name,
            String type,
            List<String> inputs,
            String output,
            TensorData value,
            Map<String, Float> floats) {}

    final Map<String, TensorData> initialisers = new LinkedHashMap<>();
    final List<Node> nodes = new ArrayList<>();

    void node(String name, String type, String output, String... inputs) {
        nodes.add(new Node(name, type, List.of(inputs), output, null, Map.of()));
    }

    void constant(String output, TensorData value) {
        nodes.add(new Node("", "Constant", List.of(), output, value, Map.of()));
    }

    static TensorData longs(long... values) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (long value : values) {
            bytes.putLong(value);
        }
        return new TensorData(
                new dev.graft.formats.TensorInfo("value", dev.graft.formats.DType.I64, new long[] {values.length}),
                bytes.flip());
    }

    void write(Path file) throws IOException {
        ByteArrayOutputStream graph = new ByteArrayOutputStream();
        for (Node node : nodes) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            node.inputs.forEach(input -> text(out, 1, input));
            text(out, 2, node.output);
            text(out, 3, node.name);
            text(out, 4, node.type);
            if (node.value != null) {
                ByteArrayOutputStream attribute = new ByteArrayOutputStream();
                text(attribute, 1, "value");
                bytes(attribute, 5, tensor("", node.value));
                bytes(out, 5, attribute.toByteArray());
            }
            node.floats.forEach((name, value) -> {
                ByteArrayOutputStream attribute = new ByteArrayOutputStream();
                text(attribute, 1, name);
                varint(attribute, 2 << 3 | 5);
                attribute.writeBytes(ByteBuffer.allocate(4)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putFloat(value)
                        .array());
                bytes(out, 5, attribute.toByteArray());
            });
            bytes(graph, 1, out.toByteArray());
        }
        initialisers.forEach((name, tensor) -> bytes(graph, 5, tensor(name, tensor)));
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        bytes(model, 7, graph.toByteArray());
        Files.write(file, model.toByteArray());
    }

    private static byte[] tensor(String name, TensorData tensor) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (long size : tensor.info().shape()) {
            varint(out, 1 << 3);
            varint(out, size);
        }
        varint(out, 2 << 3);
        varint(
                out,
                switch (tensor.info().dtype()) {
                    case F32 -> 1;
                    case U8 -> 2;
                    case I8 -> 3;
                    case I64 -> 7;
                    default -> throw new IllegalArgumentException(tensor.info().toString());
                });
        if (!name.isEmpty()) {
            text(out, 8, name);
        }
        byte[] raw = new byte[(int) tensor.info().bytes()];
        tensor.bytes().get(raw);
        bytes(out, 9, raw);
        return out.toByteArray();
    }

    private static void text(ByteArrayOutputStream out, int field, String text) {
        bytes(out, field, text.getBytes(StandardCharsets.UTF_8));
    }

    private static void bytes(ByteArrayOutputStream out, int field, byte[] bytes) {
        varint(out, field << 3 | 2);
        varint(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void varint(ByteArrayOutputStream out, long value) {
        long left = value;
        while (left > 127) {
            out.write((int) (left & 127 | 128));
            left >>>= 7;
        }
        out.write((int) left);
    }
}
