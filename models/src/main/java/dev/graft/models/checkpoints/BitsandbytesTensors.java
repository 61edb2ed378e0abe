package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.formats.quantized.Codebook;
import dev.graft.models.matrices.BlockScales;
import dev.graft.models.matrices.FourBitMatrix;
import dev.graft.models.matrices.Int8Matrix;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Weights in the format of bitsandbytes 0.4x and 0.5x. A four-bit {@code weight} has its scales and a
 * {@code quant_state} next to it, an eight-bit one its {@code SCB}. They are exposed as F32 matrices.
 */
public final class BitsandbytesTensors implements QuantizedTensors, ConvertedTensors {
    /** The kinds of quantised matrices in this format. */
    public static final Set<String> KINDS = Set.of("nf4", "fp4", "int8");

    private static final List<String> FOUR_BIT = List.of("nf4", "fp4");
    private static final String STATE = ".quant_state.bitsandbytes__";
    private static final int LARGEST_BLOCK = 1 << 15;

    /**
     * The place of a matrix.
     *
     * @param state the name of its quant_state, or of its scales for eight bits
     * @param kind {@code nf4}, {@code fp4} or {@code int8}
     */
    private record Stored(String state, String kind) {}

    private final TensorSource file;
    private final Map<String, Stored> stored = new LinkedHashMap<>();
    private final Map<String, TensorInfo> shown = new LinkedHashMap<>();

    private BitsandbytesTensors(TensorSource file) {
        this.file = file;
        for (String name : file.names()) {
            for (String kind : FOUR_BIT) {
                if (name.endsWith(STATE + kind)) {
                    stored.put(
                            name.substring(0, name.length() - STATE.length() - kind.length()), new Stored(name, kind));
                }
            }
            if (name.endsWith(".SCB")) {
                stored.put(name.substring(0, name.length() - "SCB".length()) + "weight", new Stored(name, "int8"));
            }
        }
        for (String name : file.names()) {
            if (!isPart(name)) {
                shown.put(name, file.info(name));
            }
        }
        for (String name : stored.keySet()) {
            if (!file.names().contains(name)) {
                throw new FormatException(file.path(), "has " + find(name).state + " but no " + name);
            }
            shown.put(name, new TensorInfo(name, DType.F32, shape(name)));
        }
    }

    /**
     * Returns the tensors of a folder in the format of its configuration.
     *
     * @throws FormatException if another method than bitsandbytes quantised them
     */
    static TensorSource of(Fields config, TensorSource file) {
        Fields quantization = config.objectOrNull("quantization_config");
        if (quantization == null) {
            return file;
        }
        String method = quantization.string("quant_method", "bitsandbytes");
        if (!method.equals("bitsandbytes")) {
            throw quantization.invalid(
                    "quant_method",
                    "\"bitsandbytes\" (nf4, fp4 or int8), or fp8, fbgemm_fp8 or compressed-tensors with 8-bit floats;"
                            + " or take the model as it was before it was quantised");
        }
        return new BitsandbytesTensors(file);
    }

    /** Returns whether a tensor belongs to a quantised matrix without being one. */
    private boolean isPart(String name) {
        if (name.endsWith(".SCB") || name.endsWith(".weight_format")) {
            return stored.containsKey(name.substring(0, name.lastIndexOf('.')) + ".weight");
        }
        for (String part :
                List.of(".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", STATE + "nf4", STATE + "fp4")) {
            if (name.endsWith(part) && stored.containsKey(name.substring(0, name.length() - part.length()))) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean keepsQuantization() {
        return true;
    }

    @Override
    public @Nullable QuantizedMatrix quantized(String name, ScalarType type) {
        return stored.containsKey(name) ? read(name, type) : null;
    }

    /** Returns the two sizes of a matrix. */
    private long[] shape(String name) {
        Stored at = find(name);
        if (at.kind.equals("int8")) {
            TensorInfo codes = file.info(name);
            if (codes.dtype() != DType.I8 || codes.rank() != 2) {
                throw new FormatException(path(), codes + ": expected an I8 matrix, since it has scales in SCB");
            }
            return codes.shape();
        }
        Fields state = state(at.state);
        List<Integer> sizes = state.integersOrNull("shape");
        if (sizes == null || sizes.size() != 2 || sizes.get(0) < 1 || sizes.get(1) < 1) {
            throw state.invalid("shape", "the two sizes of a matrix");
        }
        return new long[] {sizes.get(0), sizes.get(1)};
    }

    private QuantizedMatrix read(String name, ScalarType type) {
        return find(name).kind.equals("int8") ? eightBit(name, type) : fourBit(name, type);
    }

    private QuantizedMatrix eightBit(String name, ScalarType type) {
        long[] shape = shape(name);
        String format = name.substring(0, name.length() - "weight".length()) + "weight_format";
        if (file.names().contains(format) && !Arrays.equals(file.tensor(format).floats(), new float[] {0})) {
            throw new FormatException(path(), format + " isn't 0: only rows (\"row\") are supported");
        }
        return new Int8Matrix(type, tensor(name, DType.I8, shape), tensor(find(name).state, DType.F32, shape[0]));
    }

    private QuantizedMatrix fourBit(String name, ScalarType type) {
        Stored at = find(name);
        Fields state = state(at.state);
        if (!state.string("quant_type").equals(at.kind)) {
            throw state.invalid("quant_type", "\"" + at.kind + "\" by its name");
        }
        long[] shape = shape(name);
        int block = block(state, "blocksize");
        long values = Math.multiplyExact(shape[0], shape[1]);
        long blocks = (values + block - 1) / block;
        long bytes = (values + 1) / 2;
        long[] packed = file.info(name).shape();
        if (file.info(name).elements() != bytes) {
            throw new FormatException(
                    path(), file.info(name) + ": expected " + bytes + " bytes for " + Arrays.toString(shape));
        }
        float[] levels = Tensors.floats(tensor(name + ".quant_map", DType.F32, 16));
        return new FourBitMatrix(
                at.kind,
                shape[0],
                shape[1],
                type,
                new Codebook(levels),
                block,
                tensor(name, DType.U8, packed),
                scales(name, state, blocks));
    }

    private BlockScales scales(String name, Fields state, long blocks) {
        if (!state.has("nested_blocksize")) {
            return new BlockScales.Plain(tensor(name + ".absmax", DType.F32, blocks));
        }
        int block = block(state, "nested_blocksize");
        return new BlockScales.Nested(
                tensor(name + ".absmax", DType.U8, blocks),
                Tensors.floats(tensor(name + ".nested_quant_map", DType.F32, 256)),
                tensor(name + ".nested_absmax", DType.F32, (blocks + block - 1) / block),
                (float) state.number("nested_offset"),
                block);
    }

    private static int block(Fields state, String field) {
        int block = state.integer(field);
        if (block < 16 || block > LARGEST_BLOCK || Integer.bitCount(block) != 1) {
            throw state.invalid(field, "a power of two from 16 to " + LARGEST_BLOCK);
        }
        return block;
    }

    private Fields state(String name) {
        TensorData data = file.tensor(name);
        if (data.info().dtype() != DType.U8) {
            throw new FormatException(path(), data.info() + ": expected U8, the bytes of a JSON object");
        }
        String text = StandardCharsets.UTF_8.decode(data.bytes()).toString();
        String source = path() + ": " + name;
        return Fields.of(source, Json.parse(source, text));
    }

    private Tensor tensor(String name, DType type, long... shape) {
        if (!file.names().contains(name)) {
            throw new FormatException(path(), "has no tensor " + name + ", which a quantised matrix needs");
        }
        TensorInfo info = file.info(name);
        if (info.dtype() != type || !Arrays.equals(info.shape(), shape)) {
            throw new FormatException(path(), info + ": expected " + type + " " + Arrays.toString(shape));
        }
        ScalarType stored = switch (type) {
            case U8 -> ScalarType.Byte;
            case I8 -> ScalarType.Char;
            default -> ScalarType.Float;
        };
        return Tensors.of(file.bytes(name), stored, shape);
    }

    private Stored find(String name) {
        Stored tensor = stored.get(name);
        if (tensor == null) {
            throw new FormatException(path(), "has no quantised tensor " + name);
        }
        return tensor;
    }

    /** Returns the tensors that bitsandbytes stores for a matrix of one of {@link #KINDS}. */
    public static List<TensorData> store(String name, QuantizedMatrix matrix) {
        if (matrix instanceof Int8Matrix rows) {
            String module = name.substring(0, name.length() - "weight".length());
            return List.of(
                    data(name, DType.I8, rows.codes()),
                    data(module + "SCB", DType.F32, rows.absmax()),
                    new TensorData(
                            new TensorInfo(module + "weight_format", DType.U8, new long[0]), ByteBuffer.allocate(1)));
        }
        if (!(matrix instanceof FourBitMatrix four)) {
            throw new IllegalArgumentException(matrix.kind() + " isn't of bitsandbytes");
        }
        ObjectNode state = JsonNodeFactory.instance.objectNode();
        state.put("quant_type", four.kind()).put("blocksize", four.block()).put("dtype", dtype(four.type()));
        state.putArray("shape").add(four.rows()).add(four.columns());
        List<TensorData> parts = new ArrayList<>();
        parts.add(data(name, DType.U8, four.codes().view(-1, 1)));
        parts.add(TensorData.of(name + ".quant_map", four.codebook().levels(), 16));
        if (four.scales() instanceof BlockScales.Nested nested) {
            parts.add(data(name + ".absmax", DType.U8, nested.codes()));
            parts.add(data(name + ".nested_absmax", DType.F32, nested.absmax()));
            parts.add(TensorData.of(name + ".nested_quant_map", nested.levels(), 256));
            state.put("nested_blocksize", nested.block())
                    .put("nested_dtype", "float32")
                    .put("nested_offset", nested.offset());
        } else if (four.scales() instanceof BlockScales.Plain plain) {
            parts.add(data(name + ".absmax", DType.F32, plain.values()));
        }
        byte[] json = Json.compact(state).getBytes(StandardCharsets.UTF_8);
        parts.add(new TensorData(
                new TensorInfo(name + STATE + four.kind(), DType.U8, new long[] {json.length}), ByteBuffer.wrap(json)));
        return parts;
    }

    private static TensorData data(String name, DType type, Tensor values) {
        return new TensorData(new TensorInfo(name, type, Tensors.shape(values)), Tensors.bytes(values));
    }

    /** Returns the {@code quantization_config} of a model with matrices of that kind, for products in that type. */
    public static ObjectNode config(String kind, ScalarType type, List<String> whole) {
        boolean eight = kind.equals("int8");
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        config.put("quant_method", "bitsandbytes");
        config.put("load_in_4bit", !eight).put("load_in_8bit", eight);
        config.put("_load_in_4bit", !eight).put("_load_in_8bit", eight);
        config.put("bnb_4bit_quant_type", eight ? "fp4" : kind).put("bnb_4bit_use_double_quant", !eight);
        config.put("bnb_4bit_compute_dtype", dtype(type)).put("bnb_4bit_quant_storage", "uint8");
        config.put("llm_int8_threshold", 0.0).put("llm_int8_has_fp16_weight", false);
        config.put("llm_int8_enable_fp32_cpu_offload", false);
        whole.forEach(config.putArray("llm_int8_skip_modules")::add);
        return config;
    }

    private static String dtype(ScalarType type) {
        return type.value == ScalarType.BFloat16.value ? "bfloat16" : "float32";
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(shown.keySet());
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = shown.get(name);
        return info == null ? file.info(name) : info;
    }

    @Override
    public ByteBuffer bytes(String name) {
        if (!stored.containsKey(name)) {
            return file.bytes(name);
        }
        try (Scope scope = new Scope()) {
            return Tensors.bytes(read(name, ScalarType.Float).values())
                    .asReadOnlyBuffer()
                    .order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
