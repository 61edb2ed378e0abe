package dev.graft.train.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Counts of the rows of a split: kept, dropped, cut.
 *
 * @param dropped rows left out because they were too long
 * @param emptied rows left out because no labelled token remained after cutting
 * @param truncated rows that were cut
 * @param split rows that became several
 * @param unlabelled rows kept although they have no labelled token
 * @param tokens of the rows that were kept, answers of an encoder-decoder included
 * @param lossTerms labelled tokens, or rows for a classifier
 * @param longest tokens of the longest row, before it was dropped or cut
 * @param histogram how many rows have up to 16, 32, 64, ... tokens, before any was dropped or cut
 */
public record EncodingSummary(
        int maxLength,
        int rows,
        int kept,
        int dropped,
        int emptied,
        int truncated,
        int split,
        int unlabelled,
        long tokens,
        long lossTerms,
        int longest,
        List<Integer> histogram) {
    private static final int FIRST_BUCKET = 16;

    public EncodingSummary {
        histogram = List.copyOf(histogram);
    }

    /** Returns lines to show before training. */
    public String text() {
        if (longest == 0) {
            return String.format(Locale.ROOT, "%,d images", kept);
        }
        StringBuilder text = new StringBuilder(String.format(
                Locale.ROOT,
                "%,d rows, %,d tokens (%.0f a row, longest %,d)",
                kept,
                tokens,
                (double) tokens / kept,
                longest));
        if (lossTerms != kept) {
            text.append(String.format(Locale.ROOT, ", %.1f %% of the tokens trained", 100.0 * lossTerms / tokens));
        }
        text.append("\nlengths:");
        for (int i = 0, upTo = FIRST_BUCKET; i < histogram.size(); i++, upTo *= 2) {
            text.append(String.format(Locale.ROOT, "%s up to %,d: %,d", i == 0 ? "" : ",", upTo, histogram.get(i)));
        }
        line(text, truncated, "longer than " + maxLength + " tokens were cut");
        line(text, split, "longer than " + maxLength + " tokens became several");
        line(text, dropped, "longer than " + maxLength + " tokens were left out");
        line(
                text,
                emptied,
                "left out: cut to " + maxLength + " tokens " + (emptied == 1 ? "it has" : "they have")
                        + " nothing to learn");
        line(text, unlabelled, "without a labelled token");
        return text.toString();
    }

    private static void line(StringBuilder text, int rows, String what) {
        if (rows > 0) {
            text.append(String.format(Locale.ROOT, "\n%,d %s %s", rows, rows == 1 ? "row" : "rows", what));
        }
    }

    /** Counts while rows are encoded. */
    static final class Counter {
        private final int maxLength;
        private final List<Integer> histogram = new ArrayList<>();
        private int rows;
        private int kept;
        private int dropped;
        private int emptied;
        private int truncated;
        private int split;
        private int unlabelled;
        private long tokens;
        private long lossTerms;
        private int longest;

        Counter(int maxLength) {
            this.maxLength = maxLength;
        }

        void countRow(int length) {
            rows++;
            longest = Math.max(longest, length);
            int bucket = 0;
            for (long upTo = FIRST_BUCKET; upTo < length; upTo *= 2) {
                bucket++;
            }
            while (histogram.size() <= bucket) {
                histogram.add(0);
            }
            histogram.set(bucket, histogram.get(bucket) + 1);
        }

        void dropped() {
            dropped++;
        }

        void emptied() {
            emptied++;
        }

        void truncated() {
            truncated++;
        }

        void split() {
            split++;
        }

        /** The number of this example. */
        int kept(Example example) {
            int terms = example.lossTerms();
            tokens += example.tokens();
            lossTerms += terms;
            if (terms == 0) {
                unlabelled++;
            }
            return kept++;
        }

        long tokens() {
            return tokens;
        }

        EncodingSummary end() {
            return new EncodingSummary(
                    maxLength,
                    rows,
                    kept,
                    dropped,
                    emptied,
                    truncated,
                    split,
                    unlabelled,
                    tokens,
                    lossTerms,
                    longest,
                    histogram);
        }
    }
}
