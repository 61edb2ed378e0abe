package dev.graft.peft.methods.update;

import dev.graft.tensor.NumpyRng;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The indices into a shared vector for a row of blocks. Each number occurs equally often, give or take one, in the
 * order of NumPy's generator for a seed. They equal those of PEFT's {@code UniLoraModel.generate_index} and are drawn
 * on first use.
 */
final class SharedVectorIndex {
    private final int length;
    private final long seed;
    private final List<Long> sizes;
    /** The factor of each number of the vector: {@code 1 / √n} for a number at n places. */
    private final float[] scales;

    /** The indices of all blocks in a row, once they are drawn. */
    private long @Nullable [] drawn;

    /**
     * @param length the length of the vector
     * @param sizes the sizes of the blocks, in their order
     */
    SharedVectorIndex(int length, long seed, List<Long> sizes) {
        this.length = length;
        this.seed = seed;
        this.sizes = sizes;
        this.scales = new float[length];
    }

    private long[] drawn() {
        if (drawn == null) {
            drawn = draw();
        }
        return drawn;
    }

    private long[] draw() {
        int count = start(sizes.size());
        int each = count / length;
        long[] indices = new long[count];
        for (int i = 0; i < length * each; i++) {
            indices[i] = i / each;
        }
        NumpyRng rng = new NumpyRng(seed);
        int rest = count % length;
        Arrays.fill(scales, (float) (1 / Math.sqrt(each)));
        if (rest > 0) {
            long[] more = rng.choice(length, rest);
            System.arraycopy(more, 0, indices, count - rest, rest);
            for (long number : more) {
                scales[(int) number] = (float) (1 / Math.sqrt(each + 1));
            }
        }
        rng.shuffle(indices);
        return indices;
    }

    private int start(int block) {
        return Math.toIntExact(
                sizes.subList(0, block).stream().mapToLong(Long::longValue).sum());
    }

    private long[] block(int block) {
        return Arrays.copyOfRange(drawn(), start(block), start(block + 1));
    }

    /** Returns the index in the vector at each place of a block, int64 {@code [size]}. */
    Tensor indices(int block) {
        long[] indices = block(block);
        return Tensors.of(indices, indices.length);
    }

    /** Returns the factor of the number at each place of a block, fp32 {@code [size]}. */
    Tensor scales(int block) {
        long[] indices = block(block);
        float[] values = new float[indices.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = scales[(int) indices[i]];
        }
        return Tensors.of(values, values.length);
    }
}
