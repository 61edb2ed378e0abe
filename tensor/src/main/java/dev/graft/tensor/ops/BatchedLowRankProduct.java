package dev.graft.tensor.ops;

import dev.graft.tensor.Natives;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.internal.kernels.Kernels;
import dev.graft.tensor.internal.kernels.Operand;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank updates of layers with a common input, with separate factors for each text: {@code z = scale · A x}, rounded to the layers' type, then
 * {@code B z} (as Punica's BGMV, Chen et al., 2023). Factors are read in place, not copied. The result of a text depends on no other text. Used
 * by one thread.
 */
public final class BatchedLowRankProduct implements AutoCloseable {
    /** The values of a register in fp32: z of each layer has room for whole ones. */
    private static final int LANES = 16;

    /** The entry of no update. */
    private static final long[] NONE = new long[LowRankFactors.ENTRY];

    private final ScalarType type;
    private final long in;
    private final long[] outs;
    private final long width;
    private final @Nullable LowRankFactors[][] factors;

    /** The number of layers with an update, by text. */
    private final int[] updateCounts;

    private final LongPointer table;
    private final LongBuffer entries;
    private final LongPointer widths;

    private @Nullable Tensor room;

    /** No rank was above it. */
    private long maxRank = LANES;

    /**
     * Creates a product without updates.
     *
     * @param type the type of the layers' matrices, and of all factors
     * @param texts the maximum number of texts
     * @param in the input size of the layers
     * @param outs the output size of each layer
     */
    public BatchedLowRankProduct(ScalarType type, int texts, long in, List<Long> outs) {
        this.type = type.intern();
        this.in = in;
        this.outs = outs.stream().mapToLong(Long::longValue).toArray();
        this.width = Arrays.stream(this.outs).sum();
        this.factors = new LowRankFactors[texts][outs.size()];
        this.updateCounts = new int[texts];
        this.table = kept(new LongPointer(new long[texts * outs.size() * LowRankFactors.ENTRY]));
        this.entries = table.asBuffer();
        this.widths = kept(new LongPointer(this.outs));
    }

    private static LongPointer kept(LongPointer pointer) {
        pointer.retainReference();
        return pointer;
    }

    /**
     * Sets a text's factors for a layer. They are read in place from now on and must not change.
     *
     * @param its factors of the layers' type; null for no update
     * @throws IllegalArgumentException if they don't fit the layer
     */
    public void put(int text, int layer, @Nullable LowRankFactors its) {
        if (its != null && !its.matches(type, in, outs[layer])) {
            throw new IllegalArgumentException(its + " don't fit a layer [" + outs[layer] + ", " + in + "] in " + type);
        }
        updateCounts[text] += (its == null ? 0 : 1) - (factors[text][layer] == null ? 0 : 1);
        factors[text][layer] = its;
        entries.put((text * outs.length + layer) * LowRankFactors.ENTRY, its == null ? NONE : its.entry());
        if (its != null) {
            maxRank = Math.max(maxRank, (its.rank() + LANES - 1) / LANES * LANES);
        }
    }

    /**
     * Returns a multiple of 16 that no rank has exceeded. The results of other texts keep their bits as long as it stays.
     */
    public long maxRank() {
        return maxRank;
    }

    /** Returns whether one of the texts {@code [first, first + texts)} has an update. */
    public boolean hasUpdate(int first, int texts) {
        for (int text = first; text < first + texts; text++) {
            if (updateCounts[text] > 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * Returns the updates of all layers side by side, {@code [texts, tokens, Σ out]}, zeros for a text without one. Records no gradient.
     *
     * @param x {@code [texts, tokens, in]}
     * @param first the first text
     * @throws IllegalArgumentException if x has another size
     */
    public Tensor times(Tensor x, int first) {
        int texts = (int) x.size(0);
        Objects.checkFromIndexSize(first, texts, factors.length);
        if (x.dim() != 3 || x.size(2) != in) {
            throw new IllegalArgumentException("x " + Arrays.toString(Tensors.shape(x)) + " has not " + in + " inputs");
        }
        Tensor typed = Ops.to(x, type);
        Tensor y = Tensors.empty(type, texts, x.size(1), width);
        try (Scope scope = new Scope()) {
            if (x.size(1) > 1 && Bf16Products.supports(typed, y)) {
                inTiles(typed.contiguous(), first, y);
            } else if (Kernels.supports(typed)) {
                boolean single = x.size(1) == 1 && x.stride(2) == 1;
                inRows(single ? typed : typed.contiguous(), first, y, scope);
            } else {
                inParts(typed, first, y);
            }
        }
        return y;
    }

    /**
     * Returns the updates of consecutive texts in one row, {@code [1, tokens, Σ out]}; zeros behind the last text.
     *
     * @param x {@code [1, tokens, in]}
     * @param first the first text
     * @param lengths the number of tokens of each text
     */
    public Tensor times(Tensor x, int first, int[] lengths) {
        try (Scope scope = new Scope()) {
            List<Tensor> texts = new ArrayList<>();
            long start = 0;
            for (int text = 0; text < lengths.length; text++) {
                texts.add(times(x.narrow(1, start, lengths[text]), first + text));
                start += lengths[text];
            }
            texts.add(Tensors.zeros(type, 1, x.size(1) - start, width));
            return scope.keep(Ops.cat(1, texts.toArray(Tensor[]::new)));
        }
    }

    /** Room for so many numbers, the same in each product. */
    private Tensor room(Scope scope, long numbers) {
        Tensor known = room;
        if (known == null || known.numel() < numbers) {
            if (known != null) {
                known.close();
            }
            known = scope.release(Tensors.empty(type, numbers));
            room = known;
        }
        return known;
    }

    private void inTiles(Tensor x, int first, Tensor y) {
        long texts = x.size(0);
        long tokens = x.size(1);
        Tensor sums = Tensors.empty(ScalarType.Float, texts, tokens, maxRank);
        Tensor z = Tensors.empty(type, texts, tokens, maxRank);
        Operand from = Operand.flat("x", x, type, texts * tokens * in);
        Operand its = table(first, texts);
        Operand sizes = Operand.numbers("outs", widths, 0, outs.length);
        Operand room = Operand.flat("the sums", sums, ScalarType.Float, texts * tokens * maxRank);
        Operand inner = Operand.flat("z", z, type, texts * tokens * maxRank);
        Operand to = Operand.flat("y", y, type, texts * tokens * width);
        updatesOfTexts(
                from.address(),
                its.address(),
                sizes.address(),
                room.address(),
                inner.address(),
                to.address(),
                texts,
                tokens,
                outs.length,
                in,
                maxRank,
                width,
                Natives.threads());
        Operand.keepAlive(from, its, sizes, room, inner, to, this);
    }

    private void inRows(Tensor x, int first, Tensor y, Scope scope) {
        long texts = x.size(0);
        long tokens = x.size(1);
        long rows = texts * tokens;
        Tensor z = room(scope, rows * outs.length * maxRank);
        Operand from = Operand.strided("x", tokens == 1 ? x.select(1, 0) : x.view(rows, in), type, rows, in);
        Operand its = table(first, texts);
        Operand sizes = Operand.numbers("outs", widths, 0, outs.length);
        Operand inner = Operand.room("z", z, type, rows * outs.length * maxRank * z.element_size());
        Operand to = Operand.flat("y", y, type, rows * width);
        updates(
                from.bf16(),
                from.address(),
                from.stride(0),
                its.address(),
                sizes.address(),
                inner.address(),
                to.address(),
                rows,
                tokens,
                outs.length,
                in,
                maxRank,
                width,
                Natives.threads());
        Operand.keepAlive(from, its, sizes, inner, to, this);
    }

    /** Describes the entries of texts from one of them on. */
    private Operand table(int first, long texts) {
        long each = (long) outs.length * LowRankFactors.ENTRY;
        return Operand.numbers("the table of factors", table, first * each, texts * each);
    }

    private void inParts(Tensor x, int first, Tensor y) {
        for (int text = 0; text < x.size(0); text++) {
            long start = 0;
            for (int layer = 0; layer < outs.length; layer++) {
                Tensor place = y.select(0, text).narrow(1, start, outs[layer]);
                LowRankFactors its = factors[first + text][layer];
                if (its == null) {
                    place.zero_();
                } else {
                    Tensor z = Ops.scale(Ops.linear(x.select(0, text), its.a(), null), its.scale());
                    place.copy_(Ops.linear(z, its.b(), null));
                }
                start += outs[layer];
            }
        }
    }

    @Override
    public void close() {
        table.close();
        widths.close();
        if (room != null) {
            room.close();
        }
    }

    /**
     * Computes {@code z = scale · A x} and {@code y = B z} of rows of x, for several layers side by side.
     *
     * @param next the distance from one row of x to the next
     * @param factors int64 {@code [texts, layers, 4]}: the addresses of A {@code [rank, in]} (0 for none) and B {@code [out, rank]}, the rank,
     *     and the bits of the scale
     * @param outs int64 {@code [layers]}
     * @param z memory for {@code [rows, layers, most]}
     * @param tokens the number of rows of a text
     * @param most a multiple of 16, at least the largest rank
     * @param width the width of y
     */
    private static native void updates(
            int bf16,
            long x,
            long next,
            long factors,
            long outs,
            long z,
            long y,
            long rows,
            long tokens,
            long layers,
            long in,
            long most,
            long width,
            int threads);

    /**
     * Computes the updates by products of whole texts in bf16, x {@code [texts, tokens, in]}. Sums over ranks above 1,536 are rounded in between.
     *
     * @param sums memory for {@code [texts, tokens, most]} in fp32; z likewise in bf16
     */
    private static native void updatesOfTexts(
            long x,
            long factors,
            long outs,
            long sums,
            long z,
            long y,
            long texts,
            long tokens,
            long layers,
            long in,
            long most,
            long width,
            int threads);
}
