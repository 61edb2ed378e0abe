package dev.graft.peft.methods;

import dev.graft.tensor.NumpyRng;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Which number of a shared vector stands where in a row of blocks: each number as often as any other, but for one time, in the order that
 * NumPy's generator gives for a seed. As PEFT's {@code UniLoraModel.generate_index}. Drawn when it is first asked for.
 */
final class IndexedVector {
    private final int length;
    private final long seed;
    private final List<Long> sizes;
    /** For each number of the vector, {@code 1 / √n} where it stands at n places. */
    private final float[] scales;

    /** All blocks in a row, once they are drawn. */
    private long @Nullable [] drawn;

    /**
     * @param length of the vector
     * @param sizes of the blocks, in their order
     */
    IndexedVector(int length, long seed, List<Long> sizes) {
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

    /** Which number stands at each place of a block, int64 {@code [size]}. */
    Tensor indices(int block) {
        long[] indices = block(block);
        return Tensors.of(indices, indices.length);
    }

    /** What the number at each place of a block is multiplied by, fp32 {@code [size]}. */
    Tensor scales(int block) {
        long[] indices = block(block);
        float[] values = new float[indices.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = scales[(int) indices[i]];
        }
        return Tensors.of(values, values.length);
    }
}
