package dev.graft.models.checkpoints;

import dev.graft.formats.DType;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorInfo;
import dev.graft.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Converts between the tensors of files and those of libtorch. */
public final class TensorConversion {
    private TensorConversion() {}

    /** Returns the libtorch type of a stored type. */
    public static ScalarType type(TensorInfo info) {
        return switch (info.dtype()) {
            case F64 -> ScalarType.Double;
            case F32 -> ScalarType.Float;
            case F16 -> ScalarType.Half;
            case BF16 -> ScalarType.BFloat16;
            case F8_E4M3 -> ScalarType.Float8_e4m3fn;
            case F8_E5M2 -> ScalarType.Float8_e5m2;
            case I64 -> ScalarType.Long;
            case I32 -> ScalarType.Int;
            case I16 -> ScalarType.Short;
            case I8 -> ScalarType.Char;
            case U32 -> ScalarType.UInt32;
            case U8 -> ScalarType.Byte;
            case BOOL -> ScalarType.Bool;
        };
    }

    /** Returns the stored type of a libtorch type. */
    public static DType dtype(Tensor tensor) {
        return switch (tensor.scalar_type().intern()) {
            case Double -> DType.F64;
            case Float -> DType.F32;
            case Half -> DType.F16;
            case BFloat16 -> DType.BF16;
            case Long -> DType.I64;
            case Int -> DType.I32;
            case Short -> DType.I16;
            case Char -> DType.I8;
            case Byte -> DType.U8;
            case Bool -> DType.BOOL;
            default -> throw new IllegalArgumentException("no stored type for " + tensor.scalar_type());
        };
    }

    /**
     * Returns a tensor in the form of a file, to be written while the tensor lives. It shares the tensor's memory if
     * that is contiguous; otherwise it is a copy.
     */
    public static TensorData data(String name, Tensor value) {
        return new TensorData(
                new TensorInfo(name, dtype(value), Tensors.shape(value)),
                value.is_contiguous() ? Tensors.memory(value) : Tensors.bytes(value));
    }
}
