package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.hub.ModelFiles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The initialisers of a BERT's ONNX graph under their Hugging Face names. Matrices that the graph multiplies with are stored
 * {@code [in, out]} and shown {@code [out, in]}; those of int8 exports are shown as F32.
 */
final class OnnxBert implements TensorSource {
    private static final String QUANTIZED = "_quantized";
    private static final String WORDS = "embeddings.word_embeddings.weight";

    /**
     * Where a tensor is.
     *
     * @param name its initialiser, without the ending of a quantised one
     */
    record Stored(String name, boolean transposed, boolean quantized) {
        String initialiser() {
            return quantized ? name + QUANTIZED : name;
        }
    }

    private final Onnx file;
    private final Map<String, Stored> stored;

    private OnnxBert(Onnx file, Map<String, Stored> stored) {
        this.file = file;
        this.stored = stored;
    }

    /** Opens a graph; config.json beside it is taken where there is one, else its facts are read from the graph. */
    static Checkpoint open(ModelFiles.Onnx files) {
        Path path = files.model();
        Onnx file = Onnx.open(path);
        try {
            OnnxBert tensors = new OnnxBert(file, map(file));
            Path config = path.resolveSibling("config.json");
            return new Checkpoint(
                    Files.isRegularFile(config)
                            ? Fields.read(config)
                            : Checkpoint.fields(path, new OnnxBertConfig(file, tensors).read()),
                    tensors,
                    Objects.requireNonNullElse(files.tokenizer(), path.resolveSibling("tokenizer.json")));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static Map<String, Stored> map(Onnx file) {
        String prefix = prefix(file);
        OnnxLinears linears = new OnnxLinears(file);
        Map<String, Stored> stored = new LinkedHashMap<>();
        for (String initialiser : file.names()) {
            boolean quantized = initialiser.endsWith(QUANTIZED);
            if (isQuantisation(file, initialiser) || initialiser.endsWith("embeddings.position_ids")) {
                continue;
            }
            String plain =
                    quantized ? initialiser.substring(0, initialiser.length() - QUANTIZED.length()) : initialiser;
            String weight = linears.weight(initialiser);
            String name = weight == null ? plain : weight;
            if (!name.endsWith(".weight") && !name.endsWith(".bias")) {
                if (file.info(initialiser).rank() > 1) {
                    throw new FormatException(
                            file.path(),
                            "no layer's name was found for the initialiser " + file.info(initialiser)
                                    + ": it is not multiplied with and followed by the addition of a named bias");
                }
                continue;
            }
            String bare = name.startsWith(prefix) ? name.substring(prefix.length()) : name;
            if (stored.put(bare, new Stored(plain, weight != null, quantized)) != null) {
                throw new FormatException(file.path(), "two initialisers are " + bare);
            }
        }
        return stored;
    }

    /** What an exporter puts before all names, such as {@code model.0.auto_model.}. */
    private static String prefix(Onnx file) {
        for (String name : file.names()) {
            for (String ending : new String[] {WORDS, WORDS + QUANTIZED}) {
                if (name.endsWith(ending)) {
                    return name.substring(0, name.length() - ending.length());
                }
            }
        }
        throw new FormatException(
                file.path(),
                "has no initialiser " + WORDS + ": of ONNX graphs only exported BERT models with named weights are"
                        + " supported");
    }

    private static boolean isQuantisation(Onnx file, String name) {
        for (String ending : new String[] {"_scale", "_zero_point"}) {
            if (name.endsWith(ending)
                    && file.names().contains(name.substring(0, name.length() - ending.length()) + QUANTIZED)) {
                return true;
            }
        }
        return false;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(stored.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        Stored tensor = find(name);
        TensorInfo info = file.info(tensor.initialiser());
        long[] shape = info.shape();
        return new TensorInfo(
                name,
                tensor.quantized ? DType.F32 : info.dtype(),
                tensor.transposed ? new long[] {shape[1], shape[0]} : shape);
    }

    @Override
    public ByteBuffer bytes(String name) {
        Stored tensor = find(name);
        if (!tensor.transposed && !tensor.quantized) {
            return file.bytes(tensor.name);
        }
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(info(name).bytes()));
        read(name, bytes);
        return bytes.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        Stored tensor = find(name);
        TensorInfo shown = info(name);
        if (!tensor.transposed && !tensor.quantized) {
            file.read(tensor.name, into);
            return;
        }
        if (shown.dtype() != DType.F32) {
            throw new FormatException(
                    path(), "initialiser " + tensor.name + " is " + shown.dtype() + ", a matrix product needs F32");
        }
        float[] values = tensor.quantized
                ? dequantized(tensor)
                : file.tensor(tensor.name).floats();
        ByteBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN);
        if (tensor.transposed) {
            transpose(values, (int) shown.shape()[0], (int) shown.shape()[1], target.asFloatBuffer());
        } else {
            target.asFloatBuffer().put(values);
        }
        into.position(into.position() + Math.toIntExact(shown.bytes()));
    }

    /** Values {@code [in, out]} as {@code [out, in]}. */
    private static void transpose(float[] values, int out, int in, FloatBuffer target) {
        float[] row = new float[in];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < in; i++) {
                row[i] = values[i * out + o];
            }
            target.put(row);
        }
    }

    /** {@code (q - zero point) · scale}, one of each for the tensor or for each of its columns. */
    private float[] dequantized(Stored tensor) {
        float[] scales = file.tensor(tensor.name + "_scale").floats();
        float[] zeros = file.tensor(tensor.name + "_zero_point").floats();
        int columns = Math.toIntExact(Checkpoint.matrix(file, tensor.initialiser())[1]);
        if (scales.length != zeros.length || scales.length != 1 && scales.length != columns) {
            throw new FormatException(
                    path(),
                    tensor.name + " has " + scales.length + " scales and " + zeros.length + " zero points for "
                            + columns + " columns");
        }
        float[] values = file.tensor(tensor.initialiser()).floats();
        for (int i = 0; i < values.length; i++) {
            int column = scales.length == 1 ? 0 : i % columns;
            values[i] = (values[i] - zeros[column]) * scales[column];
        }
        return values;
    }

    private Stored find(String name) {
        Stored tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no tensor that is " + name + " in a BERT");
        }
        return tensor;
    }

    @Override
    public Map<String, String> metadata() {
        return file.metadata();
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public void close() {
        file.close();
    }
}
