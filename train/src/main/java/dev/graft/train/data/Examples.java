package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The rows of a split as examples. Every row is encoded once to know its length and to find what is wrong with it; the examples stay in
 * memory up to 8 million tokens, beyond that a row is encoded again when it is needed.
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
     * @throws InputException if a row does not fit the task, is too long under {@link Overflow#ERROR}, or nothing is left to learn from
     */
    public static Examples encode(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow) {
        return encode(rows, encoder, maxLength, overflow, MOST_KEPT_TOKENS);
    }

    static Examples encode(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow, long mostKeptTokens) {
        if (maxLength < 2) {
            throw new InputException("max_seq_length is " + maxLength + ", expected 2 or more");
        }
        Building built = new Building(rows, encoder, maxLength, overflow, mostKeptTokens);
        for (int row = 0; row < rows.size(); row++) {
            built.add(row);
        }
        return built.end();
    }

    /** Encodes rows one after another. */
    private static final class Building {
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

        Building(Rows rows, RowEncoder encoder, int maxLength, Overflow overflow, long mostKeptTokens) {
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
            counter.saw(whole.longest());
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
            counter.saw(windows.get(0).length());
            if (windows.size() > 1) {
                counter.split();
            }
            for (int part = 0; part < windows.size(); part++) {
                keep(windows.get(part), part);
            }
        }

        private void cut(Example whole) {
            Example cut = fitted(rows, encoder, whole.row(), maxLength, overflow == Overflow.TRUNCATE ? 0 : LAST);
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
                Example piece = whole.part(start(part, maxLength), maxLength);
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

        Examples end() {
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

    /** Whether every row is one of a causal model, which may be cut anywhere. */
    public boolean canBeCut() {
        return packs == null && get(0).canBeCut();
    }

    /** The longest row of a causal model alone, and of it only the last tokens where it has more. */
    public Examples longest(int most) {
        int index = IntStream.range(0, lengths.length)
                .reduce((a, b) -> lengths[b] > lengths[a] ? b : a)
                .orElseThrow();
        Example whole = row(index);
        Example cut = whole.length() <= most ? whole : whole.part(whole.length() - most, most);
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
     * The same rows one after another in as few as possible of the greatest length, none of which sees another, for a causal model: what is
     * learnt from them is the same, and little is padded.
     *
     * @throws InputException if they are for something else than a causal model
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

    /** Whether every row is one example that stands alone, and the same whenever it is used. */
    public boolean isOneForEachRow() {
        Example first = get(0);
        boolean several = packs != null || !first.others().isEmpty() || encoder.drawn(first, 1) != first;
        for (int i = 1; i < kept.length && !several; i++) {
            several = kept[i] == kept[i - 1];
        }
        return !several;
    }

    /** Hands out the first pack of several rows, and its rows beside each other; nothing where rows aren't packed. */
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

    /** What is learnt from them. */
    public Goal goal() {
        return encoder.goal();
    }

    /** Tokens of each example, for a {@link BatchPlan}. */
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
        return fitted(rows, encoder, kept[index], maxLength, parts[index]);
    }

    /** @param part which piece of a row that is too long, from 0, or {@link #LAST} */
    private static Example fitted(Rows rows, RowEncoder encoder, int row, int maxLength, int part) {
        List<Example> windows = encoder.windows(row, rows.get(row), rows.place(row), maxLength);
        if (windows != null) {
            return windows.get(part);
        }
        if (part == 0) {
            return encoder.encode(row, rows.get(row), rows.place(row), maxLength);
        }
        Example whole = encoder.encode(row, rows.get(row), rows.place(row), Integer.MAX_VALUE);
        return whole.part(part == LAST ? whole.length() - maxLength : start(part, maxLength), maxLength);
    }

    /** Where a piece begins: with the last token of the piece before it, so that every label is predicted once. */
    private static int start(int part, int maxLength) {
        return part * (maxLength - 1);
    }

    /** An example as it is used at a {@link RowEncoder#drawn draw}. */
    public Example get(int index, long draw) {
        return encoder.drawn(get(index), draw);
    }

    /** Some examples side by side, as a model is measured on them. */
    public Batch batch(int[] indices, int padId) {
        return batch(indices, padId, 0);
    }

    /**
     * Some examples side by side.
     *
     * @param draw see {@link RowEncoder#drawn}
     */
    public Batch batch(int[] indices, int padId, long draw) {
        return Batch.of(
                Arrays.stream(indices).mapToObj(index -> get(index, draw)).toList(), padId);
    }

    /** Where the rows of a batch come from, such as {@code train.jsonl:17}. */
    public List<String> places(Batch batch) {
        return Arrays.stream(batch.rowIndices()).mapToObj(rows::place).toList();
    }

    /** SHA-256 of what is learnt from the rows, in their order: equal for equal rows, labels and lengths, encoded alike. */
    public String digest() {
        return digest;
    }

    public EncodingSummary summary() {
        return summary;
    }
}
