package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.FormatException;
import dev.graft.formats.Onnx;
import dev.graft.formats.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/**
 * An initialiser of a graph as Hugging Face has it: what is multiplied with is stored {@code [in, out]} and shown {@code [out, in]}, what
 * is int8 is shown as F32.
 *
 * @param name the initialiser, without the ending of a quantised one
 */
record OnnxMatrix(Onnx file, String name, boolean transposed, boolean quantized) {
    /** The ending of a quantised initialiser's name; its scales and zero points have others. */
    static final String QUANTIZED = "_quantized";

    private String initialiser() {
        return quantized ? name + QUANTIZED : name;
    }

    /** What it is shown as. */
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
        TensorInfo shown = info(as);
        if (shown.dtype() != DType.F32) {
            throw new FormatException(
                    file.path(), "initialiser " + name + " is " + shown.dtype() + ", a matrix product needs F32");
        }
        ByteBuffer bytes =
                ByteBuffer.allocateDirect(Math.toIntExact(shown.bytes())).order(ByteOrder.LITTLE_ENDIAN);
        float[] values = quantized ? dequantized() : file.tensor(name).floats();
        if (transposed) {
            transpose(values, (int) shown.shape()[0], (int) shown.shape()[1], bytes.asFloatBuffer());
        } else {
            bytes.asFloatBuffer().put(values);
        }
        return bytes.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
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
    private float[] dequantized() {
        float[] scales = file.tensor(name + "_scale").floats();
        float[] zeros = file.tensor(name + "_zero_point").floats();
        int columns = Math.toIntExact(Checkpoint.matrix(file, initialiser())[1]);
        if (scales.length != zeros.length || scales.length != 1 && scales.length != columns) {
            throw new FormatException(
                    file.path(),
                    name + " has " + scales.length + " scales and " + zeros.length + " zero points for " + columns
                            + " columns");
        }
        float[] values = file.tensor(initialiser()).floats();
        for (int i = 0; i < values.length; i++) {
            int column = scales.length == 1 ? 0 : i % columns;
            values[i] = (values[i] - zeros[column]) * scales[column];
        }
        return values;
    }
}
