package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The encoded rows of a split. Every row is encoded once to learn its length and to find errors. Examples are kept in memory up to 8
 * million tokens; further rows are encoded again when they are needed.
 *
 * <pre>{@code
 * Examples examples = Examples.encode(splits.train(), encoder, 512, Overflow.DROP);
 * System.out.println(examples.summary().text());
 * Batch batch = examples.batch(plan.epoch(0)[0], padId);
 * }</pre>
 */
public final class Examples {
    private static final long MOST_KEPT_TOKENS = 8_000_000;

    /** Stands for the end of a row that was cut on the left. */
    private static final int LAST = -1;

    private final Rows rows;
    private final RowEncoder encoder;
    private final int maxLength;
    private final int[] kept;
    private final int[] parts;
    private final int[] lengths;
    private final @Nullable List<Example> examples;
    private final EncodingSummary summary;
    private final int @Nullable [][] packs;
    private final String digest;

    private Examples(
            Rows rows,
            RowEncoder encoder,
            int maxLength,
            int[] kept,
            int[] parts,
            int[] lengths,
            @Nullable List<Example> examples,
            EncodingSummary summary,
            int @Nullable [][] packs,
            String digest) {
        this.rows = rows;
        this.encoder = encoder;
        this.maxLength = maxLength;
        this.kept = kept;
        this.parts = parts;
        this.lengths = lengths;
        this.examples = examples;
        this.summary = summary;
        this.packs = packs;
        this.digest = digest;
    }

    /**
     * Encodes the rows.
     *
     * @param maxLength the maximum number of tokens of a row, at least 2
     * @param overflow the treatment of longer rows
     * @throws InputException if a row does not fit the task, is too long under {@link Overflow#ERROR}, or no row is left to learn from
     */
    public static Examples encode(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow) {
        return encode(rows, encoder, maxLength, overflow, MOST_KEPT_TOKENS);
    }

    static Examples encode(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow, long mostKeptTokens) {
        if (maxLength < 2) {
            throw new InputException("max_seq_length is " + maxLength + ", expected 2 or more");
        }
        Builder builder = new Builder(rows, encoder, maxLength, overflow, mostKeptTokens);
        for (int row = 0; row < rows.size(); row++) {
            builder.add(row);
        }
        return builder.build();
    }

    /** Encodes rows one after another. */
    private static final class Builder {
        private final Rows rows;
        private final RowEncoder encoder;
        private final int maxLength;
        private final Overflow overflow;
        private final long mostKeptTokens;
        private final EncodingSummary.Counter counter;
        private final ExamplesDigest digest;
        private final List<Example> examples = new ArrayList<>();
        private int[] kept;
        private int[] parts;
        private int[] lengths;

        Builder(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow, long mostKeptTokens) {
            this.rows = rows;
            this.encoder = encoder;
            this.maxLength = maxLength;
            this.overflow = overflow;
            this.mostKeptTokens = mostKeptTokens;
            this.counter = new EncodingSummary.Counter(maxLength);
            this.digest = new ExamplesDigest(rows);
            this.kept = new int[rows.size()];
            this.parts = new int[rows.size()];
            this.lengths = new int[rows.size()];
        }

        void add(int row) {
            List<Example> windows = encoder.windows(row, rows.get(row), rows.place(row), maxLength);
            if (windows != null) {
                add(windows);
                return;
            }
            Example whole = encoder.encode(row, rows.get(row), rows.place(row), Integer.MAX_VALUE);
            counter.countRow(whole.longest());
            if (whole.longest() <= maxLength) {
                keep(whole, 0);
                return;
            }
            switch (overflow) {
                case ERROR ->
                    throw new InputException(rows.place(row) + ": the row has " + whole.longest()
                            + " tokens, more than max_seq_length " + maxLength);
                case DROP -> counter.dropped();
                case TRUNCATE, TRUNCATE_LEFT -> cut(whole);
                case SPLIT -> split(whole);
            }
        }

        private void add(List<Example> windows) {
            counter.countRow(windows.get(0).length());
            if (windows.size() > 1) {
                counter.split();
            }
            for (int part = 0; part < windows.size(); part++) {
                keep(windows.get(part), part);
            }
        }

        private void cut(Example whole) {
            Example cut = fit(rows, encoder, whole.row(), maxLength, overflow == Overflow.TRUNCATE ? 0 : LAST);
            if (whole.lossTerms() > 0 && cut.lossTerms() == 0) {
                counter.emptied();
                return;
            }
            counter.truncated();
            keep(cut, overflow == Overflow.TRUNCATE ? 0 : LAST);
        }

        private void split(Example whole) {
            counter.split();
            for (int part = 0; start(part, maxLength) + 1 < whole.length(); part++) {
                Example piece = whole.slice(start(part, maxLength), maxLength);
                if (piece.lossTerms() > 0) {
                    keep(piece, part);
                }
            }
        }

        private void keep(Example example, int part) {
            int index = counter.kept(example);
            digest.add(example);
            if (index == kept.length) {
                int capacity = Math.addExact(index, index / 2 + 1);
                kept = Arrays.copyOf(kept, capacity);
                parts = Arrays.copyOf(parts, capacity);
                lengths = Arrays.copyOf(lengths, capacity);
            }
            kept[index] = example.row();
            parts[index] = part;
            lengths[index] = example.longest();
            if (counter.tokens() <= mostKeptTokens) {
                examples.add(example);
            }
        }

        Examples build() {
            EncodingSummary summary = counter.end();
            if (summary.kept() == 0) {
                throw new InputException("all " + rows.size() + " rows from " + rows.place(0)
                        + " on are longer than max_seq_length " + maxLength
                        + (summary.emptied() > 0
                                ? ", and cut to it they have nothing to learn: raise it"
                                        + (overflow == Overflow.TRUNCATE
                                                ? ", or cut the beginning (truncate_left)"
                                                : "")
                                : ": raise it, or let rows be truncated"));
            }
            if (summary.lossTerms() == 0) {
                throw new InputException("no token of the " + rows.size() + " rows from " + rows.place(0)
                        + " on has a label, so there is nothing to learn");
            }
            return new Examples(
                    rows,
                    encoder,
                    maxLength,
                    Arrays.copyOf(kept, summary.kept()),
                    Arrays.copyOf(parts, summary.kept()),
                    Arrays.copyOf(lengths, summary.kept()),
                    examples.size() == summary.kept() ? List.copyOf(examples) : null,
                    summary,
                    null,
                    digest.hex());
        }
    }

    /** Returns whether the rows are those of a causal model, which may be cut anywhere. */
    public boolean canBeCut() {
        return packs == null && get(0).canBeCut();
    }

    /** Returns only the longest row of a causal model, cut to its last {@code most} tokens. */
    public Examples longest(int most) {
        int index = IntStream.range(0, lengths.length)
                .reduce((a, b) -> lengths[b] > lengths[a] ? b : a)
                .orElseThrow();
        Example whole = row(index);
        Example cut = whole.length() <= most ? whole : whole.slice(whole.length() - most, most);
        return new Examples(
                rows,
                encoder,
                maxLength,
                new int[] {kept[index]},
                new int[] {parts[index]},
                new int[] {cut.length()},
                List.of(cut),
                summary,
                null,
                digest);
    }

    /**
     * Packs the rows of a causal model into as few rows of the maximum length as possible. Packed rows don't attend to each other, so the
     * loss is the same with little padding.
     *
     * @throws InputException if the rows aren't for a causal model, or name tasks
     */
    public Examples packed() {
        Example first = get(0);
        if (!(first.target() instanceof Target.Tokens)
                || first.decoderIds() != null
                || !first.others().isEmpty()) {
            throw new InputException("packing is true, but only rows of causal models can be packed; leave it out");
        }
        if (first.task() != Example.NO_TASK) {
            throw new InputException("packing is true, but rows of several tasks can't stand in one row; leave it out");
        }
        int[][] packed = Packing.of(lengths, maxLength);
        return new Examples(rows, encoder, maxLength, kept, parts, lengths, examples, summary, packed, digest);
    }

    /** Returns whether every row is exactly one example, compared with no other and without random parts. */
    public boolean isOneToOne() {
        Example first = get(0);
        boolean several = packs != null || !first.others().isEmpty() || encoder.redraw(first, 1) != first;
        for (int i = 1; i < kept.length && !several; i++) {
            several = kept[i] == kept[i - 1];
        }
        return !several;
    }

    /**
     * Passes the first pack of several rows to {@code look}, once packed and once as separate rows. It does nothing if rows aren't packed.
     */
    public void firstPack(int padId, BiConsumer<Batch, Batch> look) {
        for (int pack = 0; packs != null && pack < packs.length; pack++) {
            if (packs[pack].length > 1) {
                List<Example> alone =
                        Arrays.stream(packs[pack]).mapToObj(this::row).toList();
                look.accept(Batch.of(List.of(Example.packed(alone)), padId), Batch.of(alone, padId));
                return;
            }
        }
    }

    public int size() {
        return packs == null ? kept.length : packs.length;
    }

    /** Returns the training objective of the rows. */
    public TrainingObjective objective() {
        return encoder.objective();
    }

    /** Returns the number of tokens of each example, [examples], for a {@link BatchSampler}. */
    public int[] lengths() {
        if (packs == null) {
            return lengths.clone();
        }
        return Arrays.stream(packs)
                .mapToInt(pack -> Arrays.stream(pack).map(row -> lengths[row]).sum())
                .toArray();
    }

    public Example get(int index) {
        return packs == null
                ? row(index)
                : Example.packed(Arrays.stream(packs[index]).mapToObj(this::row).toList());
    }

    private Example row(int index) {
        if (examples != null) {
            return examples.get(index);
        }
        return fit(rows, encoder, kept[index], maxLength, parts[index]);
    }

    /** @param part which piece of a row that is too long, from 0, or {@link #LAST} */
    private static Example fit(Rows rows, RowEncoder encoder, int row, int maxLength, int part) {
        List<Example> windows = encoder.windows(row, rows.get(row), rows.place(row), maxLength);
        if (windows != null) {
            return windows.get(part);
        }
        if (part == 0) {
            return encoder.encode(row, rows.get(row), rows.place(row), maxLength);
        }
        Example whole = encoder.encode(row, rows.get(row), rows.place(row), Integer.MAX_VALUE);
        return whole.slice(part == LAST ? whole.length() - maxLength : start(part, maxLength), maxLength);
    }

    /** Returns the beginning of a piece: it is the last token of the piece before it, so that every label is predicted once. */
    private static int start(int part, int maxLength) {
        return part * (maxLength - 1);
    }

    /** Returns an example with the random parts of a {@link RowEncoder#redraw draw}. */
    public Example get(int index, long draw) {
        return encoder.redraw(get(index), draw);
    }

    /**
     * Returns some examples as a batch for evaluation: draw 0.
     *
     * @param padId the token id of padding
     */
    public Batch batch(int[] indices, int padId) {
        return batch(indices, padId, 0);
    }

    /**
     * Returns some examples as a batch.
     *
     * @param draw see {@link RowEncoder#redraw}
     */
    public Batch batch(int[] indices, int padId, long draw) {
        return Batch.of(
                Arrays.stream(indices).mapToObj(index -> get(index, draw)).toList(), padId);
    }

    /** Returns the places of the rows of a batch, such as {@code train.jsonl:17}. */
    public List<String> places(Batch batch) {
        return Arrays.stream(batch.rowIndices()).mapToObj(rows::place).toList();
    }

    /**
     * Returns the SHA-256 of the encoded rows in their order: equal for equal rows, labels and lengths with the same encoding.
     */
    public String digest() {
        return digest;
    }

    public EncodingSummary summary() {
        return summary;
    }
}
