package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * An initialiser of a graph in the form of Hugging Face. Matrices of products are stored as {@code [in, out]} and
 * exposed as {@code [out, in]}; int8 is exposed as F32.
 *
 * @param name the name of the initialiser, without the suffix of a quantised one
 */
record OnnxMatrix(Onnx file, String name, boolean transposed, boolean quantized) {
    private static final int BLOCK = 1 << 18;

    /** The suffix of a quantised initialiser's name; its scales and zero points have others. */
    static final String QUANTIZED = "_quantized";

    private String initialiser() {
        return quantized ? name + QUANTIZED : name;
    }

    /** Returns the exposed name, type and shape. */
    TensorInfo info(String as) {
        TensorInfo info = file.info(initialiser());
        long[] shape = info.shape();
        return new TensorInfo(
                as, quantized ? DType.F32 : info.dtype(), transposed ? new long[] {shape[1], shape[0]} : shape);
    }

    ByteBuffer bytes(String as) {
        if (!transposed && !quantized) {
            return file.bytes(name);
        }
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(info(as).bytes()));
        read(as, bytes);
        return bytes.flip().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Writes the values in the exposed form. It reads some rows of the file at a time, so no buffer is as large as the
     * matrix.
     */
    void read(String as, ByteBuffer into) {
        if (!transposed && !quantized) {
            file.read(name, into);
            return;
        }
        TensorInfo shown = info(as);
        if (shown.dtype() != DType.F32) {
            throw new FormatException(
                    file.path(), "initialiser " + name + " is " + shown.dtype() + ", a matrix product needs F32");
        }
        long[] shape = PretrainedCheckpoint.matrix(file, initialiser());
        int rows = Math.toIntExact(shape[0]);
        int columns = Math.toIntExact(shape[1]);
        float[] scales = quantized ? each("_scale", columns) : new float[0];
        float[] zeros = quantized ? each("_zero_point", columns) : new float[0];
        DType type = file.info(initialiser()).dtype();
        int length = columns * type.bytes();
        int block = Math.max(1, BLOCK / Math.max(1, length));
        ByteBuffer stored = ByteBuffer.allocate(block * length);
        ByteBuffer target = into.slice().order(ByteOrder.LITTLE_ENDIAN);
        float[] row = new float[columns];
        for (int i = 0; i < rows; i++) {
            int inBlock = i % block;
            if (inBlock == 0) {
                file.read(initialiser(), (long) i * length, (long) Math.min(block, rows - i) * length, stored.clear());
            }
            type.toFloats(stored.slice(inBlock * length, length), row, 0);
            for (int j = 0; j < columns; j++) {
                float value = quantized ? (row[j] - zeros[j]) * scales[j] : row[j];
                target.putFloat(4 * (transposed ? j * rows + i : i * columns + j), value);
            }
        }
        into.position(into.position() + Math.toIntExact(shown.bytes()));
    }

    /** Returns a number for each column; the file may have one for all. */
    private float[] each(String ending, int columns) {
        float[] numbers = file.tensor(name + ending).floats();
        if (numbers.length == columns) {
            return numbers;
        }
        if (numbers.length != 1) {
            throw new FormatException(
                    file.path(), name + ending + " has " + numbers.length + " numbers for " + columns + " columns");
        }
        float[] same = new float[columns];
        Arrays.fill(same, numbers[0]);
        return same;
    }
}
