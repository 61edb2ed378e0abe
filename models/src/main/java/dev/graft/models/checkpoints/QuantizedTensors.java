package dev.graft.models.checkpoints;

import dev.graft.formats.TensorSource;
import dev.graft.models.matrices.Quantized;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** The tensors of a checkpoint that was quantised: {@link #read} gives the values, {@link #quantized} the codes. */
public interface QuantizedTensors extends TensorSource {
    /** A matrix as the checkpoint has it, for products in that type; null where it isn't quantised. In the scope of the caller. */
    @Nullable
    Quantized quantized(String name, ScalarType type);

    /** Whether its matrices stay as they are where nothing else is asked for. */
    default boolean keeps() {
        return false;
    }
}
