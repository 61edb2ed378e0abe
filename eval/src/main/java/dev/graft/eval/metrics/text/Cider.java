package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * CIDEr-D (Vedantam et al., 2015), as COCO's captions and the E2E challenge use it: the similarity of a text to its references by n-grams
 * of up to four words. N-grams are weighted by TF-IDF over the rows' references, and differences in length are penalised. The value is the
 * mean over rows, from 0 to 10. Words are those of {@link PtbTokenizer}. With a single row all weights are 0, and so is the score.
 */
public final class Cider implements Metric<TextPrediction> {
    private static final int LONGEST = 4;
    private static final double SIGMA = 6;
    private static final double SCALE = 10;

    /** The counts of the n-grams of a text, by their length. */
    private record Counts(List<Map<List<String>, Integer>> byLength, int pairs) {
        static Counts of(List<String> words) {
            List<Map<List<String>, Integer>> counts = new ArrayList<>();
            for (int n = 1; n <= LONGEST; n++) {
                counts.add(Ngrams.ngrams(words, n));
            }
            return new Counts(counts, Math.max(0, words.size() - 1));
        }
    }

    private record Row(Counts text, List<Counts> references) {}

    private final List<Row> rows = new ArrayList<>();

    /** The number of rows whose references contain an n-gram. */
    private final Map<List<String>, Integer> frequency = new HashMap<>();

    @Override
    public String name() {
        return "cider";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TextPrediction row) {
        List<Counts> references = row.references().stream()
                .map(reference -> Counts.of(PtbTokenizer.of(reference)))
                .toList();
        rows.add(new Row(Counts.of(PtbTokenizer.of(row.prediction())), references));
        Set<List<String>> found = new HashSet<>();
        references.forEach(each -> each.byLength.forEach(counts -> found.addAll(counts.keySet())));
        found.forEach(words -> frequency.merge(words, 1, Integer::sum));
    }

    @Override
    public double value() {
        return rows.stream()
                .mapToDouble(row -> row.references.stream()
                                .mapToDouble(reference -> similarity(row.text, reference))
                                .average()
                                .orElseThrow()
                        * SCALE)
                .average()
                .orElseThrow(() -> new NoRowsException(name()));
    }

    private double similarity(Counts text, Counts reference) {
        double sum = 0;
        for (int n = 0; n < LONGEST; n++) {
            Map<List<String>, Integer> own = text.byLength.get(n);
            Map<List<String>, Integer> right = reference.byLength.get(n);
            double shared = 0;
            for (Map.Entry<List<String>, Integer> each : own.entrySet()) {
                double weight = weight(each.getKey());
                double there = right.getOrDefault(each.getKey(), 0) * weight;
                shared += Math.min(each.getValue() * weight, there) * there;
            }
            double norms = norm(own) * norm(right);
            sum += norms == 0 ? shared : shared / norms;
        }
        double longer = text.pairs - reference.pairs;
        return sum / LONGEST * Math.exp(-longer * longer / (2 * SIGMA * SIGMA));
    }

    private double norm(Map<List<String>, Integer> counts) {
        double squares = 0;
        for (Map.Entry<List<String>, Integer> each : counts.entrySet()) {
            squares += Math.pow(each.getValue() * weight(each.getKey()), 2);
        }
        return Math.sqrt(squares);
    }

    private double weight(List<String> words) {
        return Math.log(rows.size()) - Math.log(frequency.getOrDefault(words, 1));
    }
}
