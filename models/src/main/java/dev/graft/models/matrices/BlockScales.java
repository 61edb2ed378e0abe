package dev.graft.models.matrices;

import dev.graft.formats.quantized.NestedScales;
import dev.graft.tensor.Tensors;
import java.nio.ByteBuffer;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The absolute maximum of each block of a quantised matrix. */
public sealed interface BlockScales {
    /** Copies some of them to the start of an array. */
    void get(long first, int count, float[] into);

    /** The tensors that hold them in memory. */
    List<Tensor> parts();

    /** Unquantised scales, fp32 {@code [blocks]}. */
    record Plain(Tensor values) implements BlockScales {
        @Override
        public void get(long first, int count, float[] into) {
            new FloatPointer(values.data_ptr()).position(first).get(into, 0, count);
        }

        @Override
        public List<Tensor> parts() {
            return List.of(values);
        }
    }

    /**
     * Scales quantised to eight bits.
     *
     * @param codes uint8 {@code [blocks]}
     * @param levels the values of the codes, fp32 {@code [256]}
     * @param absmax fp32, one for each {@code block} codes
     * @param offset the number added to all scales
     */
    record Nested(Tensor codes, float[] levels, Tensor absmax, float offset, int block) implements BlockScales {
        static Nested of(NestedScales scales) {
            return new Nested(
                    Tensors.of(ByteBuffer.wrap(scales.codes()), ScalarType.Byte, scales.codes().length),
                    scales.codebook().levels(),
                    Tensors.of(scales.absmax(), scales.absmax().length),
                    scales.offset(),
                    scales.block());
        }

        @Override
        public void get(long first, int count, float[] into) {
            byte[] some = new byte[count];
            new BytePointer(codes.data_ptr()).position(first).get(some);
            FloatPointer maxima = new FloatPointer(absmax.data_ptr());
            for (int i = 0; i < count; i++) {
                into[i] = levels[some[i] & 0xff] * maxima.get((first + i) / block) + offset;
            }
        }

        @Override
        public List<Tensor> parts() {
            return List.of(codes, absmax);
        }
    }
}
