package dev.graft.tensor;

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
 * Low-rank updates of layers that are given the same input, with factors of each text's own, which are read where they are: {@code z = scale · A x}, rounded to the layers' type,
 * and {@code B z} (as Punica's BGMV, Chen et al., 2023). What a text gets depends on no other one. Used by one thread.
 */
public final class RowUpdates implements AutoCloseable {
    /** What a register has in fp32: z of each layer has room for whole ones. */
    private static final int LANES = 16;

    /** The entry of no update. */
    private static final long[] NONE = new long[ScaledFactors.ENTRY];

    private final ScalarType type;
    private final long in;
    private final long[] outs;
    private final long width;
    private final @Nullable ScaledFactors[][] factors;

    /** For how many layers each text has an update. */
    private final int[] acting;

    private final LongPointer table;
    private final LongBuffer entries;
    private final LongPointer widths;

    private @Nullable Tensor room;

    /** No rank was above it. */
    private long most = LANES;

    /**
     * No updates yet.
     *
     * @param type of the layers' matrices, and of all factors
     * @param texts how many there may be
     * @param outs of each layer
     */
    public RowUpdates(ScalarType type, int texts, long in, List<Long> outs) {
        this.type = type.intern();
        this.in = in;
        this.outs = outs.stream().mapToLong(Long::longValue).toArray();
        this.width = Arrays.stream(this.outs).sum();
        this.factors = new ScaledFactors[texts][outs.size()];
        this.acting = new int[texts];
        this.table = kept(new LongPointer(new long[texts * outs.size() * ScaledFactors.ENTRY]));
        this.entries = table.asBuffer();
        this.widths = kept(new LongPointer(this.outs));
    }

    private static LongPointer kept(LongPointer pointer) {
        pointer.retainReference();
        return pointer;
    }

    /**
     * Gives a text its factors for a layer, which are read from now on and must not change.
     *
     * @param its of the layers' type; null for no update
     */
    public void put(int text, int layer, @Nullable ScaledFactors its) {
        if (its != null && !its.fit(type, in, outs[layer])) {
            throw new IllegalArgumentException(its + " don't fit a layer [" + outs[layer] + ", " + in + "] in " + type);
        }
        acting[text] += (its == null ? 0 : 1) - (factors[text][layer] == null ? 0 : 1);
        factors[text][layer] = its;
        entries.put((text * outs.length + layer) * ScaledFactors.ENTRY, its == null ? NONE : its.entry());
        if (its != null) {
            most = Math.max(most, (its.rank() + LANES - 1) / LANES * LANES);
        }
    }

    /** A multiple of 16 that no rank was above: updates of other texts are made by the same loops as long as it stays. */
    public long most() {
        return most;
    }

    /** Whether one of so many texts has an update. */
    public boolean actOn(int first, int texts) {
        for (int text = first; text < first + texts; text++) {
            if (acting[text] > 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * The updates of all layers side by side, {@code [texts, tokens, Σ out]}, for which no gradient is recorded; zeros for a text that has none.
     *
     * @param x {@code [texts, tokens, in]}
     * @param first the first text
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
            if (x.size(1) > 1 && Tiles.takes(typed, y)) {
                inTiles(typed.contiguous(), first, y);
            } else if (Kernels.takes(typed)) {
                boolean single = x.size(1) == 1 && x.stride(2) == 1;
                inRows(single ? typed : typed.contiguous(), first, y, scope);
            } else {
                inParts(typed, first, y);
            }
        }
        return y;
    }

    /**
     * The same of texts that stand one after another, {@code [1, tokens, Σ out]}; zeros for what is behind them.
     *
     * @param x {@code [1, tokens, in]}
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
        Tensor sums = Tensors.empty(ScalarType.Float, texts, tokens, most);
        Tensor z = Tensors.empty(type, texts, tokens, most);
        Kernels.updatesOfTexts(
                Kernels.at(x),
                table(first),
                widths.address(),
                Kernels.at(sums),
                Kernels.at(z),
                Kernels.at(y),
                texts,
                tokens,
                outs.length,
                in,
                most,
                width,
                Natives.threads());
        Kernels.keep(x, sums, z, y, this);
    }

    private void inRows(Tensor x, int first, Tensor y, Scope scope) {
        long rows = x.size(0) * x.size(1);
        Tensor z = room(scope, rows * outs.length * most);
        Kernels.updates(
                Kernels.flag(x),
                Kernels.at(x),
                x.size(1) == 1 ? x.stride(0) : in,
                table(first),
                widths.address(),
                Kernels.at(z),
                Kernels.at(y),
                rows,
                x.size(1),
                outs.length,
                in,
                most,
                width,
                Natives.threads());
        Kernels.keep(x, z, y, this);
    }

    private long table(int first) {
        return table.address() + (long) first * outs.length * ScaledFactors.ENTRY * Long.BYTES;
    }

    private void inParts(Tensor x, int first, Tensor y) {
        for (int text = 0; text < x.size(0); text++) {
            long start = 0;
            for (int layer = 0; layer < outs.length; layer++) {
                Tensor place = y.select(0, text).narrow(1, start, outs[layer]);
                ScaledFactors its = factors[first + text][layer];
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
}
