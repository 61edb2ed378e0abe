package dev.graft.formats;

import dev.graft.formats.internal.NameHint;
import dev.graft.formats.internal.ProtoReader;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The initialisers and nodes of an ONNX model. Initialisers are views of the mapped file; data in other files is refused. Nodes tell which
 * initialiser belongs to which layer. The weight of a linear layer is often called {@code onnx::MatMul_1234}, and only its node, or the bias
 * added to the node's output, has the layer's name. Of the attributes only floats and the tensors of {@code Constant} nodes are read; subgraphs
 * are not. Source: {@code onnx.proto} of onnx/onnx.
 *
 * <pre>{@code
 * try (Onnx model = Onnx.open(Path.of("model.onnx"))) {
 *     for (Onnx.Node node : model.nodes()) {
 *         if (node.opType().equals("MatMul") && model.names().contains(node.inputs().get(1))) {
 *             System.out.println(node.name() + " " + model.info(node.inputs().get(1)));
 *         }
 *     }
 * }
 * }</pre>
 */
public final class Onnx implements TensorSource {

    /**
     * One operation of the graph; an omitted input has the empty name.
     *
     * @param floats its attributes of type FLOAT by name
     */
    public record Node(
            String name, String opType, List<String> inputs, List<String> outputs, Map<String, Float> floats) {
        public Node {
            inputs = List.copyOf(inputs);
            outputs = List.copyOf(outputs);
            floats = Map.copyOf(floats);
        }
    }

    private final MappedFile file;
    private final Map<String, OnnxTensor> initialisers = new LinkedHashMap<>();
    private final Set<String> readable = new LinkedHashSet<>();
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, TensorData> constants = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private Onnx(MappedFile file) {
        this.file = file;
    }

    /**
     * Opens a model and reads its graph.
     *
     * @throws FormatException if there is no such file, it is no ONNX model, or data is kept in other files
     */
    public static Onnx open(Path path) {
        MappedFile file = MappedFile.open(path);
        try {
            Onnx onnx = new Onnx(file);
            onnx.model(new ProtoReader(file.view(0, file.size(), "an ONNX model")));
            return onnx;
        } catch (ProtoReader.Malformed e) {
            file.close();
            throw new FormatException(path.toString(), "not a readable ONNX model: " + e.getMessage(), e);
        } catch (InternalError e) {
            file.close();
            throw file.fault(e);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /** All nodes of the graph, in its topological order. */
    public List<Node> nodes() {
        return Collections.unmodifiableList(nodes);
    }

    /** Returns the tensor of the {@code Constant} node with this output, {@code null} if there is none. */
    public @Nullable TensorData constant(String output) {
        return constants.get(output);
    }

    private void model(ProtoReader in) throws ProtoReader.Malformed {
        boolean graph = false;
        while (in.next()) {
            switch (in.field()) {
                case 7 -> {
                    if (graph) {
                        throw new ProtoReader.Malformed("it has two graphs");
                    }
                    graph = true;
                    graph(in.message());
                }
                case 14 -> property(in.message());
                default -> in.skip();
            }
        }
        if (!graph) {
            throw new ProtoReader.Malformed("it has no graph");
        }
    }

    private void graph(ProtoReader in) throws ProtoReader.Malformed {
        while (in.next()) {
            switch (in.field()) {
                case 1 -> nodes.add(node(in.message()));
                case 5 -> {
                    OnnxTensor tensor = OnnxTensor.read(in.message());
                    if (initialisers.put(tensor.name(), tensor) != null) {
                        throw new ProtoReader.Malformed("two initialisers are called " + tensor.name());
                    }
                    if (tensor.data() != null) {
                        readable.add(tensor.name());
                    }
                }
                case 15 -> throw new ProtoReader.Malformed("it has a sparse initialiser, which is not supported");
                default -> in.skip();
            }
        }
    }

    private Node node(ProtoReader in) throws ProtoReader.Malformed {
        String name = "";
        String opType = "";
        List<String> inputs = new ArrayList<>();
        List<String> outputs = new ArrayList<>();
        Map<String, Float> floats = new LinkedHashMap<>();
        TensorData value = null;
        while (in.next()) {
            switch (in.field()) {
                case 1 -> inputs.add(in.string());
                case 2 -> outputs.add(in.string());
                case 3 -> name = in.string();
                case 4 -> opType = in.string();
                case 5 -> {
                    TensorData tensor = attribute(in.message(), floats);
                    value = tensor == null ? value : tensor;
                }
                default -> in.skip();
            }
        }
        if (opType.equals("Constant") && value != null && outputs.size() == 1) {
            constants.put(outputs.get(0), value);
        }
        return new Node(name, opType, inputs, outputs, floats);
    }

    /** The tensor that an attribute holds, or null; a number is put among the floats. */
    private static @Nullable TensorData attribute(ProtoReader in, Map<String, Float> floats)
            throws ProtoReader.Malformed {
        String name = "";
        Float number = null;
        TensorData value = null;
        while (in.next()) {
            switch (in.field()) {
                case 1 -> name = in.string();
                case 2 -> {
                    in.require(ProtoReader.FIXED32);
                    number = Float.intBitsToFloat(in.fixed32());
                }
                case 5 -> value = OnnxTensor.readUnnamed(in.message()).data();
                default -> in.skip();
            }
        }
        if (number != null) {
            floats.put(name, number);
        }
        return value;
    }

    private void property(ProtoReader in) throws ProtoReader.Malformed {
        String key = "";
        String value = "";
        while (in.next()) {
            switch (in.field()) {
                case 1 -> key = in.string();
                case 2 -> value = in.string();
                default -> in.skip();
            }
        }
        metadata.put(key, value);
    }

    /**
     * Names of the initialisers, in the order of the file. Those of types without a {@link DType}, such as strings, are left out.
     */
    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(readable);
    }

    @Override
    public TensorInfo info(String name) {
        return data(name).info();
    }

    @Override
    public ByteBuffer bytes(String name) {
        file.requireUnchanged();
        return data(name).bytes();
    }

    @Override
    public void read(String name, ByteBuffer into) {
        read(name, 0, info(name).bytes(), into);
    }

    /**
     * Copies some of the values into a buffer and advances its position.
     *
     * @param from the first byte of the values to copy
     * @throws FormatException as {@link TensorSource#read}
     */
    public void read(String name, long from, long length, ByteBuffer into) {
        TensorData data = data(name);
        Objects.checkFromIndexSize(from, length, data.info().bytes());
        long offset = find(name).offset();
        if (offset >= 0) {
            file.read(offset + from, length, into);
        } else {
            into.put(data.bytes().slice((int) from, (int) length));
        }
    }

    /** The model's {@code metadata_props}. */
    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public Path path() {
        return file.path();
    }

    private OnnxTensor find(String name) {
        OnnxTensor tensor = initialisers.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no initialiser \"" + name + "\"" + NameHint.hint(name, readable));
        }
        return tensor;
    }

    private TensorData data(String name) {
        OnnxTensor tensor = find(name);
        TensorData data = tensor.data();
        if (data == null) {
            throw new FormatException(
                    path(), "initialiser " + name + " has the ONNX type " + tensor.type() + ", which is not supported");
        }
        return data;
    }

    @Override
    public void close() {
        file.close();
    }
}
