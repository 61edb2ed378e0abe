package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
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

    private final Rows rows;
    private final RowEncoder encoder;
    private final int maxLength;
    private final int[] kept;
    private final int[] lengths;
    private final @Nullable List<Example> examples;
    private final EncodingSummary summary;

    private Examples(
            Rows rows,
            RowEncoder encoder,
            int maxLength,
            int[] kept,
            int[] lengths,
            @Nullable List<Example> examples,
            EncodingSummary summary) {
        this.rows = rows;
        this.encoder = encoder;
        this.maxLength = maxLength;
        this.kept = kept;
        this.lengths = lengths;
        this.examples = examples;
        this.summary = summary;
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
        EncodingSummary.Counter counter = new EncodingSummary.Counter(maxLength);
        int[] kept = new int[rows.size()];
        int[] lengths = new int[rows.size()];
        List<Example> examples = new ArrayList<>();
        for (int row = 0; row < rows.size(); row++) {
            Example example = encoder.encode(row, rows.get(row), rows.place(row), Integer.MAX_VALUE);
            counter.saw(example.longest());
            if (example.longest() > maxLength) {
                if (overflow == Overflow.ERROR) {
                    throw new InputException(rows.place(row) + ": the row has " + example.longest()
                            + " tokens, more than max_seq_length " + maxLength);
                }
                if (overflow == Overflow.DROP) {
                    counter.dropped();
                    continue;
                }
                int terms = example.target().lossTerms();
                example = encoder.encode(row, rows.get(row), rows.place(row), maxLength);
                if (terms > 0 && example.target().lossTerms() == 0) {
                    counter.dropped();
                    continue;
                }
                counter.truncated();
            }
            int index = counter.kept(example);
            kept[index] = row;
            lengths[index] = example.length();
            if (counter.tokens() <= mostKeptTokens) {
                examples.add(example);
            }
        }
        EncodingSummary summary = counter.end();
        if (summary.kept() == 0) {
            throw new InputException("all " + rows.size() + " rows from " + rows.place(0)
                    + " on are longer than max_seq_length " + maxLength + ": raise it, or let rows be truncated");
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
                Arrays.copyOf(lengths, summary.kept()),
                examples.size() == summary.kept() ? List.copyOf(examples) : null,
                summary);
    }

    public int size() {
        return kept.length;
    }

    /** Tokens of each example, for a {@link BatchPlan}. */
    public int[] lengths() {
        return lengths.clone();
    }

    public Example get(int index) {
        if (examples != null) {
            return examples.get(index);
        }
        int row = kept[index];
        return encoder.encode(row, rows.get(row), rows.place(row), maxLength);
    }

    /** Some examples side by side. */
    public Batch batch(int[] indices, int padId) {
        return Batch.of(Arrays.stream(indices).mapToObj(this::get).toList(), padId);
    }

    /** Where the rows of a batch come from, such as {@code train.jsonl:17}. */
    public List<String> places(Batch batch) {
        return Arrays.stream(batch.rowIndices()).mapToObj(rows::place).toList();
    }

    public EncodingSummary summary() {
        return summary;
    }
}
