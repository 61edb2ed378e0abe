package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import dev.graft.models.matrices.GroupedInt4Matrix;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Weights in the four-bit format of MLX. Each {@code weight} of packed codes has {@code scales} and {@code biases} next
 * to it, one for each group of a row. They are exposed as F32 matrices.
 */
public final class MlxTensors implements QuantizedTensors, ConvertedTensors {
    private static final String WEIGHT = ".weight";
    private static final int CODES_IN_A_WORD = 8;

    private final TensorSource file;
    private final int group;
    private final Set<String> stored = new LinkedHashSet<>();
    private final Map<String, TensorInfo> shown = new LinkedHashMap<>();

    private MlxTensors(TensorSource file, int group) {
        this.file = file;
        this.group = group;
        for (String name : file.names()) {
            if (isPart(name)) {
                continue;
            }
            if (name.endsWith(WEIGHT) && file.names().contains(part(name, "scales"))) {
                stored.add(name);
                shown.put(name, new TensorInfo(name, DType.F32, shape(name)));
            } else {
                shown.put(name, file.info(name));
            }
        }
    }

    /** Returns whether MLX wrote a configuration for a quantised model. */
    static boolean isMlx(Fields config) {
        Fields quantization = config.objectOrNull("quantization");
        return quantization != null && quantization.has("group_size") && quantization.has("bits");
    }

    /**
     * Returns the tensors of a folder that MLX quantised.
     *
     * @throws FormatException if they don't have four bits, or are scaled in another way
     */
    static MlxTensors of(Fields config, TensorSource file) {
        Fields quantization = config.object("quantization");
        if (quantization.integer("bits") != 4) {
            throw quantization.invalid("bits", "4; or take the model as it was before it was quantised");
        }
        if (!quantization.string("mode", "affine").equals("affine")) {
            throw quantization.invalid("mode", "\"affine\"");
        }
        int group = quantization.integer("group_size");
        if (group != 32 && group != 64 && group != 128) {
            throw quantization.invalid("group_size", "32, 64 or 128");
        }
        return new MlxTensors(file, group);
    }

    private boolean isPart(String name) {
        for (String part : List.of(".scales", ".biases")) {
            if (name.endsWith(part)) {
                String weight = name.substring(0, name.length() - part.length()) + WEIGHT;
                return file.names().contains(weight) && file.info(weight).dtype() == DType.U32;
            }
        }
        return false;
    }

    private static String part(String weight, String part) {
        return weight.substring(0, weight.length() - WEIGHT.length() + 1) + part;
    }

    private long[] shape(String name) {
        TensorInfo words = file.info(name);
        if (words.dtype() != DType.U32 || words.rank() != 2) {
            throw new FormatException(path(), words + ": expected a U32 matrix, since it has scales");
        }
        long[] shape = {words.shape()[0], Math.multiplyExact(CODES_IN_A_WORD, words.shape()[1])};
        if (shape[1] == 0 || shape[1] % group != 0) {
            throw new FormatException(
                    path(),
                    words + ": rows of " + shape[1] + " values aren't whole groups of " + group
                            + ", of which config.json speaks");
        }
        return shape;
    }

    @Override
    public boolean keepsQuantization() {
        return true;
    }

    @Override
    public @Nullable GroupedInt4Matrix quantized(String name, ScalarType type) {
        if (!stored.contains(name)) {
            return null;
        }
        long[] shape = shape(name);
        return new GroupedInt4Matrix(
                type,
                Tensors.of(file.bytes(name), ScalarType.Byte, shape[0], shape[1] / 2),
                floats(part(name, "scales"), shape[0], shape[1] / group),
                floats(part(name, "biases"), shape[0], shape[1] / group));
    }

    private Tensor floats(String name, long rows, long groups) {
        if (!file.names().contains(name)) {
            throw new FormatException(path(), "has no tensor " + name + ", which a quantised matrix needs");
        }
        TensorInfo info = file.info(name);
        boolean floating = Set.of(DType.F32, DType.F16, DType.BF16).contains(info.dtype());
        if (!floating || info.rank() != 2 || info.shape()[0] != rows || info.shape()[1] != groups) {
            throw new FormatException(path(), info + ": expected F32, F16 or BF16 [" + rows + ", " + groups + "]");
        }
        return Tensors.of(file.tensor(name).floats(), rows, groups);
    }

    /** Returns the tensors that MLX stores for a matrix. */
    public static List<TensorData> store(String name, GroupedInt4Matrix matrix) {
        TensorInfo words =
                new TensorInfo(name, DType.U32, new long[] {matrix.rows(), matrix.columns() / CODES_IN_A_WORD});
        return List.of(
                new TensorData(words, Tensors.bytes(matrix.codes())),
                scale(part(name, "scales"), matrix.scales()),
                scale(part(name, "biases"), matrix.biases()));
    }

    private static TensorData scale(String name, Tensor values) {
        return new TensorData(new TensorInfo(name, DType.F32, Tensors.shape(values)), Tensors.bytes(values));
    }

    /** Returns the {@code quantization} of a model whose matrices have groups of that length. */
    public static ObjectNode config(int group) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("group_size", group)
                .put("bits", 4)
                .put("mode", "affine");
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
        try (Scope scope = new Scope()) {
            GroupedInt4Matrix matrix = quantized(name, ScalarType.Float);
            return matrix == null
                    ? file.bytes(name)
                    : Tensors.bytes(matrix.values()).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
