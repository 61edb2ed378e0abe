package dev.graft.tensor;

import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Products of texts with matrices of their own, {@code yᵢ = xᵢ Mᵢ}. For texts of a single token a batched product takes two to four times
 * as long as adding up the rows of M, weighed by the numbers of x, so an embedding bag does it. What a text gets depends on no other one.
 * Used by one thread.
 */
public final class RowProducts implements AutoCloseable {
    private final int rows;
    private final Map<Long, Places> places = new HashMap<>();

    /** Products of up to so many texts. */
    public RowProducts(int rows) {
        this.rows = rows;
    }

    /**
     * Matrices of each row, as many to a row as it has blocks: each is multiplied by a block of x of its own, and their products stand side by side.
     *
     * @param all {@code [rows, blocks, in, out]}
     * @param table the same, {@code [rows · blocks · in, out]}
     */
    public record Matrices(Tensor all, Tensor table, int blocks, int in, int out) implements AutoCloseable {
        /** Zeros, which outlive the scope. */
        public static Matrices zeros(ScalarType type, int rows, int blocks, int in, int out) {
            Tensor all = kept(Tensors.zeros(type, rows, blocks, in, out));
            return new Matrices(all, kept(all.view(-1, out)), blocks, in, out);
        }

        /**
         * Gives blocks of a row their matrices, whose last rows stay as they are where they are given fewer.
         *
         * @param first the first of those blocks
         * @param transposed of each block one after another, fp32 or of this type {@code [blocks · out, in]}
         */
        public void put(int row, int first, Tensor transposed) {
            long blocks = transposed.size(0) / out;
            long given = transposed.size(1);
            Tensor place = all.select(0, row).narrow(0, first, blocks).narrow(1, 0, given);
            Tensor each = transposed.reshape(blocks, out, given);
            if (all.scalar_type().value == ScalarType.BFloat16.value && Cpu.hasBf16()) {
                OneDnn.transpose(each, place);
            } else {
                place.copy_(each.transpose(1, 2));
            }
        }

        /** Makes a row's matrices zeros. */
        public void clear(int row) {
            all.select(0, row).fill_(new Scalar(0.0));
        }

        @Override
        public void close() {
            table.close();
            all.close();
        }
    }

    /** Of all blocks: where the rows of their matrices are in a table of all, and where each one's begin. */
    private record Places(Tensor all, Tensor starts) {}

    /**
     * The products of texts with the matrices of as many rows, {@code [texts, tokens, blocks · out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, blocks · in]}
     * @param first the row of the first text
     */
    public Tensor times(Tensor x, Matrices matrices, int first) {
        long texts = x.size(0);
        long tokens = x.size(1);
        return tokens == 1
                ? summed(x, texts * matrices.blocks, matrices, first)
                        .view(texts, 1, (long) matrices.blocks * matrices.out)
                : batched(x, texts, tokens, matrices, first);
    }

    private Tensor summed(Tensor x, long bags, Matrices matrices, int first) {
        long all = (long) rows * matrices.blocks;
        long in = matrices.in;
        Places known =
                places.computeIfAbsent(all << 32 | in, key -> new Places(range(all * in, 1), range(all * in, in)));
        long from = first * matrices.blocks * in;
        return torch.embedding_bag(
                        from == 0 ? matrices.table : matrices.table.narrow(0, from, bags * in),
                        bags == all ? known.all : known.all.narrow(0, 0, bags * in),
                        bags == all ? known.starts : known.starts.narrow(0, 0, bags),
                        false,
                        0,
                        false,
                        new TensorOptional(x.reshape(-1)),
                        false)
                .get0();
    }

    private static Tensor batched(Tensor x, long texts, long tokens, Matrices matrices, int first) {
        Tensor own = matrices.all.narrow(0, first, texts).flatten(0, 1);
        if (matrices.blocks == 1) {
            return x.bmm(own);
        }
        return x.view(texts, tokens, matrices.blocks, matrices.in)
                .transpose(1, 2)
                .reshape(texts * matrices.blocks, tokens, matrices.in)
                .bmm(own)
                .view(texts, matrices.blocks, tokens, matrices.out)
                .transpose(1, 2)
                .reshape(texts, tokens, (long) matrices.blocks * matrices.out);
    }

    private static Tensor range(long end, long step) {
        Tensor range = torch.arange(new Scalar(0L), new Scalar(end), new Scalar(step));
        return kept(Ops.to(range, ScalarType.Int));
    }

    private static Tensor kept(Tensor tensor) {
        tensor.retainReference();
        return tensor;
    }

    @Override
    public void close() {
        places.values().forEach(known -> {
            known.all.close();
            known.starts.close();
        });
        places.clear();
    }
}
