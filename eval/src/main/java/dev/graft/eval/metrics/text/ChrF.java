package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * chrF2 (Popović 2015) of a corpus in percent, equal to sacreBLEU: the F score, recall weighted twice, of the mean precision and recall of
 * character n-grams of orders 1 to 6. chrF++ adds words and pairs of words. A row is scored by the best of several references.
 */
public final class ChrF implements Metric<TextPrediction> {

    private static final int CHARACTER_ORDER = 6;
    private static final double BETA_SQUARED = 4;
    private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    private final int wordOrder;
    private final boolean lowercase;
    private final Counts corpus;
    private long rows;

    /** n-grams of the output, of the reference, and of both, for each order. */
    private record Counts(long[] output, long[] reference, long[] matches) {
        Counts(int orders) {
            this(new long[orders], new long[orders], new long[orders]);
        }

        void add(Counts other) {
            for (int i = 0; i < output.length; i++) {
                output[i] += other.output[i];
                reference[i] += other.reference[i];
                matches[i] += other.matches[i];
            }
        }

        double score() {
            double precision = 0;
            double recall = 0;
            for (int i = 0; i < output.length; i++) {
                if (output[i] > 0 && reference[i] > 0) {
                    precision += (double) matches[i] / output[i];
                    recall += (double) matches[i] / reference[i];
                }
            }
            int orders = orders();
            precision /= Math.max(1, orders);
            recall /= Math.max(1, orders);
            return precision + recall == 0
                    ? 0
                    : 100 * (1 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall);
        }

        private int orders() {
            int orders = 0;
            for (int i = 0; i < output.length; i++) {
                orders += output[i] > 0 && reference[i] > 0 ? 1 : 0;
            }
            return orders;
        }
    }

    private ChrF(int wordOrder, boolean lowercase) {
        this.wordOrder = wordOrder;
        this.lowercase = lowercase;
        corpus = new Counts(CHARACTER_ORDER + wordOrder);
    }

    /** Characters alone. */
    public static ChrF characters() {
        return new ChrF(0, false);
    }

    /** chrF++: characters, words and pairs of words. */
    public static ChrF withWords() {
        return new ChrF(2, false);
    }

    /** Returns a new metric that ignores case. Rows seen so far don't count in it. */
    public ChrF ignoringCase() {
        return new ChrF(wordOrder, true);
    }

    @Override
    public String name() {
        return "chrf" + "+".repeat(wordOrder);
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TextPrediction row) {
        List<Map<List<String>, Integer>> output = ngrams(row.prediction());
        Counts best = compare(output, ngrams(row.references().get(0)));
        for (String reference : row.references()) {
            Counts counts = compare(output, ngrams(reference));
            best = counts.score() > best.score() ? counts : best;
        }
        corpus.add(best);
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return corpus.score();
    }

    private static Counts compare(List<Map<List<String>, Integer>> output, List<Map<List<String>, Integer>> reference) {
        Counts counts = new Counts(output.size());
        for (int i = 0; i < output.size(); i++) {
            Map<List<String>, Integer> wanted = reference.get(i);
            counts.output[i] = wanted.isEmpty() ? 0 : Ngrams.total(output.get(i));
            counts.reference[i] = Ngrams.total(wanted);
            counts.matches[i] = Ngrams.shared(output.get(i), wanted);
        }
        return counts;
    }

    private List<Map<List<String>, Integer>> ngrams(String text) {
        String line = lowercase ? text.toLowerCase(Locale.ROOT) : text;
        List<Map<List<String>, Integer>> ngrams = new ArrayList<>();
        List<String> characters = Ngrams.characters(String.join("", Ngrams.words(line)));
        for (int n = 1; n <= CHARACTER_ORDER; n++) {
            ngrams.add(Ngrams.ngrams(characters, n));
        }
        List<String> words = wordOrder == 0 ? List.of() : words(line);
        for (int n = 1; n <= wordOrder; n++) {
            ngrams.add(Ngrams.ngrams(words, n));
        }
        return ngrams;
    }

    /** Words with a mark at the end, or else at the start, cut off. */
    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        for (String word : Ngrams.words(line)) {
            int last = word.length() - 1;
            if (last > 0 && PUNCTUATION.indexOf(word.charAt(last)) >= 0) {
                words.add(word.substring(0, last));
                words.add(word.substring(last));
            } else if (last > 0 && PUNCTUATION.indexOf(word.charAt(0)) >= 0) {
                words.add(word.substring(0, 1));
                words.add(word.substring(1));
            } else {
                words.add(word);
            }
        }
        return words;
    }
}
