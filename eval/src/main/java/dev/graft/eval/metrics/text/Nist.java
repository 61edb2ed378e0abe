package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * NIST (Doddington, 2002) as the metrics of the E2E challenge compute it: the matching n-grams of up to five words, each weighted by its
 * information in the references, divided by the number of n-grams written. Texts shorter than the mean of their references are penalised.
 * Case is ignored; words are those of {@link BleuTokenizer#INTERNATIONAL_13A}.
 */
public final class Nist implements Metric<TextPrediction> {
    private static final int LONGEST = 5;

    /** Half of the score is left at two thirds of the references' length. */
    private static final double BETA = -Math.log(0.5) / Math.pow(Math.log(1.5), 2);

    private final Map<List<String>, Integer> references = new HashMap<>();
    private final Map<List<String>, Integer> hits = new HashMap<>();
    private final long[] written = new long[LONGEST];
    private double expected;

    @Override
    public String name() {
        return "nist";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    private static List<String> words(String text) {
        List<String> words = BleuTokenizer.INTERNATIONAL_13A.words(text.toLowerCase(Locale.ROOT));
        return words.isEmpty() ? List.of("") : words;
    }

    @Override
    public void update(TextPrediction row) {
        List<String> text = words(row.prediction());
        List<List<String>> right = row.references().stream().map(Nist::words).toList();
        for (int n = 1; n <= LONGEST; n++) {
            // Short texts count less than none of long sequences, as in the challenge's script.
            written[n - 1] += text.size() - n + 1;
            Map<List<String>, Integer> most = new HashMap<>();
            for (List<String> reference : right) {
                Ngrams.ngrams(reference, n).forEach((words, count) -> {
                    most.merge(words, count, Math::max);
                    references.merge(words, count, Integer::sum);
                });
            }
            Ngrams.ngrams(text, n).forEach((words, count) -> {
                int shared = Math.min(count, most.getOrDefault(words, 0));
                if (shared > 0) {
                    hits.merge(words, shared, Integer::sum);
                }
            });
        }
        int length = right.stream().mapToInt(List::size).sum();
        references.merge(List.of(), length, Integer::sum);
        expected += (double) length / right.size();
    }

    @Override
    public double value() {
        if (written[0] == 0) {
            throw new NoRowsException(name());
        }
        double[] told = new double[LONGEST];
        hits.forEach((words, count) -> told[words.size() - 1] += count * information(words));
        double sum = 0;
        for (int n = 0; n < LONGEST; n++) {
            sum += written[n] == 0 ? 0 : told[n] / written[n];
        }
        double ratio = written[0] / expected;
        return sum * (ratio >= 1 ? 1 : Math.exp(-BETA * Math.pow(Math.log(ratio), 2)));
    }

    /** Returns the information of the last word given the words before it, in bits. */
    private double information(List<String> words) {
        double before = references.getOrDefault(words.subList(0, words.size() - 1), 0);
        return Math.log(before / references.getOrDefault(words, 0)) / Math.log(2);
    }
}
