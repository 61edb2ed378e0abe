package dev.graft.models.checkpoints;

import dev.graft.formats.TensorSource;
import dev.graft.models.matrices.QuantizedMatrix;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The tensors of a quantised checkpoint: {@link #read} returns the values, {@link #quantized} the codes. */
public interface QuantizedTensors extends TensorSource {
    /**
     * Returns a matrix in its stored codes, for products in that type; null if it isn't quantised. It belongs to the
     * scope of the caller.
     */
    @Nullable
    QuantizedMatrix quantized(String name, ScalarType type);

    /** Returns whether its matrices stay quantised by default. */
    default boolean keepsQuantization() {
        return false;
    }
}
