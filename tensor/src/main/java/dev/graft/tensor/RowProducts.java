package dev.graft.tensor;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

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

    /**
     * {@code (x A) B} of texts with the matrices of as many rows, {@code [texts, tokens, blocks · out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, in]}
     * @param a of one block
     * @param places int64 {@code [blocks]}: where the numbers for a block of B begin among those that A gives
     * @param first the row of the first text
     * @return null where this isn't for them
     */
    public static @Nullable Tensor times(Tensor x, Matrices a, Matrices b, Tensor places, int first) {
        ScalarType type = x.scalar_type();
        boolean single = x.size(1) == 1 && x.stride(2) == 1 && Kernels.takes(x);
        if (!Kernels.isOf(b.all, type) || !single && !Tiles.takes(x, b.all)) {
            return null;
        }
        long texts = x.size(0);
        boolean fits = Kernels.isOf(a.all, type)
                && a.blocks == 1
                && x.size(2) == a.in
                && places.numel() == b.blocks
                && first >= 0
                && first + texts <= Math.min(a.all.size(0), b.all.size(0));
        if (!fits) {
            throw new IllegalArgumentException("x " + Arrays.toString(Tensors.shape(x)) + " and places of "
                    + places.numel() + " blocks don't fit matrices " + Arrays.toString(Tensors.shape(a.all))
                    + " and " + Arrays.toString(Tensors.shape(b.all)) + " from row " + first + " on");
        }
        Tensor y = Tensors.empty(type, texts, x.size(1), (long) b.blocks * b.out);
        try (Scope scope = new Scope()) {
            Tensor own = a.all.narrow(0, first, texts);
            Tensor others = b.all.narrow(0, first, texts);
            if (single) {
                ofTokens(x, a, own, b, others, places, y);
            } else {
                Tensor z = Tiles.products(x, own.select(1, 0));
                long[] starts = Tensors.longs(places);
                for (int block = 0; block < b.blocks; block++) {
                    Tensor its = z.narrow(2, starts[block], b.in);
                    Tiles.products(its, others.select(1, block), y.narrow(2, (long) block * b.out, b.out));
                }
            }
        }
        return y;
    }

    private static void ofTokens(Tensor x, Matrices a, Tensor own, Matrices b, Tensor others, Tensor places, Tensor y) {
        Tensor z = Tensors.empty(x.scalar_type(), x.size(0), a.out);
        Kernels.updates(
                Kernels.flag(x),
                Kernels.at(x),
                x.stride(0),
                Kernels.at(own),
                Kernels.at(others),
                Kernels.at(places),
                Kernels.at(z),
                Kernels.at(y),
                x.size(0),
                a.in,
                a.out,
                b.blocks,
                b.in,
                b.out,
                Natives.threads());
        Kernels.keep(x, own, others, places, z, y);
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
