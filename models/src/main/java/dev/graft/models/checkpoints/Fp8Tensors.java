package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.TensorInfo;
import dev.graft.formats.TensorSource;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Matrices of 8-bit floats with scales, exposed as F32: {@code X.weight} times {@code X.weight_scale_inv} or
 * {@code X.weight_scale}. There is one scale for the matrix, for each row, or for each block. The methods {@code fp8}
 * (DeepSeek's blocks), {@code fbgemm_fp8} and {@code compressed-tensors} of {@code quantization_config} write them.
 * Activations are not quantised here.
 */
final class Fp8Tensors implements ConvertedTensors {
    private static final String FIELD = "quantization_config";
    private static final Set<DType> SMALL = Set.of(DType.F8_E4M3, DType.F8_E5M2);
    private static final List<String> SCALES = List.of("_scale_inv", "_scale");

    private final TensorSource file;
    private final Map<String, String> scales;
    private final Set<String> names = new LinkedHashSet<>();

    /** The rows and columns of a block; null if the shape of the scales determines them. */
    private final int @Nullable [] block;

    private Fp8Tensors(TensorSource file, Map<String, String> scales, int @Nullable [] block) {
        this.file = file;
        this.scales = scales;
        this.block = block;
        for (String name : file.names()) {
            if (!scales.containsValue(name) && !name.matches(".*\\.(activation_scale|input_scale|k_scale|v_scale)")) {
                names.add(name);
            }
        }
    }

    /** Returns the tensors of a folder with scaled 8-bit floats; null if there are none, or those of another method. */
    static @Nullable TensorSource of(Fields config, TensorSource tensors) {
        Map<String, String> scales = new LinkedHashMap<>();
        for (String name : tensors.names()) {
            for (String suffix : SCALES) {
                if (SMALL.contains(tensors.info(name).dtype())
                        && tensors.names().contains(name + suffix)) {
                    scales.putIfAbsent(name, name + suffix);
                }
            }
        }
        Fields settings = config.objectOrNull(FIELD);
        String method = settings == null ? "" : settings.string("quant_method", "");
        boolean known = Set.of("fp8", "fbgemm_fp8", "compressed-tensors").contains(method);
        if (scales.isEmpty() || settings != null && !known) {
            return null;
        }
        int[] block = settings == null
                ? null
                : method.equals("compressed-tensors") ? compressed(settings) : block(settings, "weight_block_size");
        return new Fp8Tensors(tensors, scales, block);
    }

    private static int @Nullable [] block(Fields settings, String field) {
        List<Integer> size = settings.integersOrNull(field);
        if (size != null && (size.size() != 2 || size.get(0) < 1 || size.get(1) < 1)) {
            throw settings.invalid(field, "two positive numbers");
        }
        return size == null ? null : new int[] {size.get(0), size.get(1)};
    }

    /** Returns the block size of all groups, which must be equal. */
    private static int @Nullable [] compressed(Fields settings) {
        settings.choice("format", "float-quantized", "float-quantized");
        Fields groups = settings.objectOrNull("config_groups");
        int[] block = null;
        boolean first = true;
        if (groups == null) {
            return null;
        }
        for (String name : groups.names()) {
            Fields group = groups.objectOrNull(name);
            Fields weights = group == null ? null : group.objectOrNull("weights");
            if (weights == null) {
                continue;
            }
            weights.choice("type", "float", "float");
            if (weights.integer("num_bits", 8) != 8) {
                throw weights.invalid("num_bits", "8");
            }
            if (!weights.bool("symmetric", true)) {
                throw weights.invalid("symmetric", "true: 8-bit floats with zero points are not read");
            }
            weights.choice("strategy", "tensor", "tensor", "channel", "block");
            int[] own = block(weights, "block_structure");
            if (!first && !Arrays.equals(own, block)) {
                throw weights.invalid("block_structure", "the same in all groups");
            }
            block = own;
            first = false;
        }
        return block;
    }

    private boolean isScaled(String name) {
        return scales.containsKey(name);
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(names);
    }

    @Override
    public TensorInfo info(String name) {
        TensorInfo info = file.info(name);
        return isScaled(name) ? new TensorInfo(name, DType.F32, info.shape()) : info;
    }

    @Override
    public ByteBuffer bytes(String name) {
        if (!isScaled(name)) {
            return file.bytes(name);
        }
        ByteBuffer decoded =
                ByteBuffer.allocateDirect(Math.toIntExact(info(name).bytes()));
        read(name, decoded);
        return decoded.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public void read(String name, ByteBuffer into) {
        if (!isScaled(name)) {
            file.read(name, into);
            return;
        }
        TensorInfo stored = file.info(name);
        long[] shape = PretrainedCheckpoint.matrix(file, name);
        int rows = Math.toIntExact(shape[0]);
        int columns = Math.toIntExact(shape[1]);
        String scaleName = Objects.requireNonNull(scales.get(name));
        TensorInfo scale = file.info(scaleName);
        boolean byRow = rows > 1 && scale.elements() == rows && (scale.rank() < 2 || scale.shape()[1] == 1);
        boolean whole = scale.elements() == 1;
        int blockRows = whole ? Math.max(1, rows) : byRow || block == null ? 1 : block[0];
        int blockColumns = whole || byRow || block == null ? Math.max(1, columns) : block[1];
        int across = (columns + blockColumns - 1) / blockColumns;
        if (scale.elements() != (long) across * ((rows + blockRows - 1) / blockRows)) {
            throw new FormatException(
                    path(),
                    scale + ": expected a scale for each "
                            + (block == null ? "row" : "block of " + block[0] + " rows and " + block[1] + " columns")
                            + " of " + stored + ", or one for all of it");
        }
        float[] factors = file.tensor(scaleName).floats();
        ByteBuffer small = ByteBuffer.allocate(Math.toIntExact(stored.bytes()));
        file.read(name, small);
        FloatBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        float[] row = new float[columns];
        for (int i = 0; i < rows; i++) {
            stored.dtype().toFloats(small.slice(i * columns, columns), row, 0);
            for (int j = 0; j < columns; j++) {
                row[j] *= factors[i / blockRows * across + j / blockColumns];
            }
            target.put(row);
        }
        into.position(into.position() + Math.toIntExact(info(name).bytes()));
    }

    @Override
    public TensorSource file() {
        return file;
    }
}
