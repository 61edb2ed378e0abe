package dev.graft.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Products of texts with matrices of rows, {@code yᵢ = xᵢ Mᵣ}, of which several texts may have the same. For texts of a single token a batched product takes two to four times
 * as long as adding up the rows of M, weighed by the numbers of x, so an embedding bag does it where no loop does. What a text gets depends on no other one.
 * Used by one thread.
 */
public final class RowProducts implements AutoCloseable {
    /** The row of a text without matrices. */
    public static final int NONE = -1;

    private final int rows;
    private final LongPointer rowOf;
    private final Map<Long, Places> places = new HashMap<>();

    /** Products of up to so many texts, each with the matrices of its own row at first. */
    public RowProducts(int rows) {
        this.rows = rows;
        this.rowOf = new LongPointer(rows);
        rowOf.retainReference();
        for (int text = 0; text < rows; text++) {
            assign(text, text);
        }
    }

    /** Has a text multiplied by the matrices of that row, or given zeros if it is {@link #NONE}. */
    public void assign(int text, int row) {
        rowOf.put(Objects.checkIndex(text, rows), row == NONE ? NONE : Objects.checkIndex(row, rows));
    }

    /** Neighbours among texts that have the matrices of neighbouring rows, or all those of one. */
    private record Run(int text, int count, int row, boolean isShared) {
        Tensor of(Tensor all) {
            return isShared ? all.narrow(0, row, 1).expand(count, -1, -1, -1) : all.narrow(0, row, count);
        }
    }

    /** @param sharing whether a run may be of one row */
    private List<Run> runs(int first, int texts, boolean sharing) {
        List<Run> runs = new ArrayList<>();
        int end = Objects.checkFromIndexSize(first, texts, rows) + texts;
        int count;
        for (int text = first; text < end; text += count) {
            long row = rowOf.get(text);
            boolean same = row == NONE || sharing && text + 1 < end && rowOf.get(text + 1) == row;
            count = 1;
            while (text + count < end && rowOf.get(text + count) == (same ? row : row + count)) {
                count++;
            }
            runs.add(new Run(text - first, count, (int) row, same));
        }
        return runs;
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
     * The products of texts with their matrices, {@code [texts, tokens, blocks · out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, blocks · in]}
     * @param first the first text
     */
    public Tensor times(Tensor x, Matrices matrices, int first) {
        List<Tensor> parts = new ArrayList<>();
        boolean single = x.size(1) == 1;
        for (Run run : runs(first, (int) x.size(0), !single)) {
            Tensor its = x.narrow(0, run.text, run.count);
            if (run.row == NONE) {
                parts.add(Tensors.zeros(x.scalar_type(), run.count, x.size(1), (long) matrices.blocks * matrices.out));
            } else if (single) {
                parts.add(summed(its, matrices, run));
            } else {
                parts.add(batched(its, matrices, run.of(matrices.all).flatten(0, 1)));
            }
        }
        return parts.size() == 1 ? parts.get(0) : Ops.cat(0, parts.toArray(Tensor[]::new));
    }

    /**
     * {@code (x A) B} of texts with their matrices, {@code [texts, tokens, blocks · out]}, for which no gradient is recorded.
     *
     * @param x {@code [texts, tokens, in]}
     * @param a of one block
     * @param places int64 {@code [blocks]}: where the numbers for a block of B begin among those that A gives
     * @param first the first text
     * @return null where this isn't for them
     */
    public @Nullable Tensor times(Tensor x, Matrices a, Matrices b, Tensor places, int first) {
        ScalarType type = x.scalar_type();
        boolean single = x.size(1) == 1 && x.stride(2) == 1 && Kernels.takes(x);
        if (!Kernels.isOf(b.all, type) || !single && !Tiles.takes(x, b.all)) {
            return null;
        }
        int texts = (int) x.size(0);
        boolean fits = Kernels.isOf(a.all, type)
                && a.blocks == 1
                && x.size(2) == a.in
                && places.numel() == b.blocks
                && first >= 0
                && first + texts <= rows
                && a.all.size(0) == rows
                && b.all.size(0) == rows;
        if (!fits) {
            throw new IllegalArgumentException("x " + Arrays.toString(Tensors.shape(x)) + " and places of "
                    + places.numel() + " blocks don't fit matrices " + Arrays.toString(Tensors.shape(a.all))
                    + " and " + Arrays.toString(Tensors.shape(b.all)) + " from text " + first + " of " + rows + " on");
        }
        Tensor y = Tensors.empty(type, texts, x.size(1), (long) b.blocks * b.out);
        try (Scope scope = new Scope()) {
            if (single) {
                ofTokens(x, a, b, places, first, y);
            } else {
                long[] starts = Tensors.longs(places);
                for (Run run : runs(first, texts, true)) {
                    ofTexts(x.narrow(0, run.text, run.count), a, b, starts, run, y.narrow(0, run.text, run.count));
                }
            }
        }
        return y;
    }

    private void ofTokens(Tensor x, Matrices a, Matrices b, Tensor places, int first, Tensor y) {
        Tensor z = Tensors.empty(x.scalar_type(), x.size(0), a.out);
        Kernels.updates(
                Kernels.flag(x),
                Kernels.at(x),
                x.stride(0),
                Kernels.at(a.all),
                Kernels.at(b.all),
                rowOf.address() + (long) Long.BYTES * first,
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
        Kernels.keep(x, a.all, b.all, rowOf, places, z, y);
    }

    private static void ofTexts(Tensor x, Matrices a, Matrices b, long[] starts, Run run, Tensor y) {
        if (run.row == NONE) {
            y.fill_(new Scalar(0.0));
            return;
        }
        Tensor z = Tiles.products(x, run.of(a.all).select(1, 0));
        Tensor others = run.of(b.all);
        for (int block = 0; block < b.blocks; block++) {
            Tensor its = z.narrow(2, starts[block], b.in);
            Tiles.products(its, others.select(1, block), y.narrow(2, (long) block * b.out, b.out));
        }
    }

    private Tensor summed(Tensor x, Matrices matrices, Run run) {
        long all = (long) rows * matrices.blocks;
        long bags = (long) run.count * matrices.blocks;
        long in = matrices.in;
        Places known =
                places.computeIfAbsent(all << 32 | in, key -> new Places(range(all * in, 1), range(all * in, in)));
        Tensor sums = torch.embedding_bag(
                        matrices.table.narrow(0, run.row * matrices.blocks * in, bags * in),
                        known.all.narrow(0, 0, bags * in),
                        known.starts.narrow(0, 0, bags),
                        false,
                        0,
                        false,
                        new TensorOptional(x.reshape(-1)),
                        false)
                .get0();
        return sums.view(run.count, 1, (long) matrices.blocks * matrices.out);
    }

    private static Tensor batched(Tensor x, Matrices matrices, Tensor own) {
        long texts = x.size(0);
        long tokens = x.size(1);
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
        rowOf.close();
    }
}
