package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.ClassScores;
import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * ROUGE (Lin 2004) of summaries, equal to the {@code rouge_score} package: the mean over rows of the F1 of shared n-grams
 * (ROUGE-1, ROUGE-2) and of the longest common subsequence, of whole texts (ROUGE-L) and of texts with a sentence on each
 * line (ROUGE-Lsum). A row is scored by the best of several references. In [0, 1].
 *
 * <pre>{@code
 * var rouge = new Rouge(true);
 * rows.forEach(rouge::update);
 * rouge.values(); // {rougeLsum=0.41, rouge1=0.44, rouge2=0.21, rougeL=0.37}
 * }</pre>
 */
public final class Rouge implements Metric<TextPrediction> {

    /** The unit that ROUGE counts. */
    public enum Kind {
        ROUGE_1("rouge1"),
        ROUGE_2("rouge2"),
        ROUGE_3("rouge3"),
        ROUGE_L("rougeL"),
        ROUGE_LSUM("rougeLsum");

        private final String name;

        Kind(String name) {
            this.name = name;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static final List<Kind> REPORTED = List.of(Kind.ROUGE_LSUM, Kind.ROUGE_1, Kind.ROUGE_2, Kind.ROUGE_L);

    private final boolean stems;
    private final Map<Kind, Double> sums = new LinkedHashMap<>();
    private long rows;

    /**
     * Creates the metric.
     *
     * @param stems true to compare words of more than three letters by their stems, as papers do
     */
    public Rouge(boolean stems) {
        this.stems = stems;
    }

    @Override
    public String name() {
        return Kind.ROUGE_LSUM.toString();
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TextPrediction row) {
        for (Kind kind : REPORTED) {
            double best = row.references().stream()
                    .mapToDouble(reference ->
                            score(kind, row.prediction(), reference, stems).f1())
                    .max()
                    .orElseThrow();
            sums.merge(kind, best, Double::sum);
        }
        rows++;
    }

    @Override
    public double value() {
        return Objects.requireNonNull(values().get(name()));
    }

    @Override
    public Map<String, Double> values() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        Map<String, Double> values = new LinkedHashMap<>();
        sums.forEach((kind, sum) -> values.put(kind.toString(), sum / rows));
        return values;
    }

    /** Precision, recall and F1 of one text against one reference. */
    public static ClassScores score(Kind kind, String prediction, String reference, boolean stems) {
        return switch (kind) {
            case ROUGE_1 -> ngrams(words(prediction, stems), words(reference, stems), 1);
            case ROUGE_2 -> ngrams(words(prediction, stems), words(reference, stems), 2);
            case ROUGE_3 -> ngrams(words(prediction, stems), words(reference, stems), 3);
            case ROUGE_L -> longest(words(prediction, stems), words(reference, stems));
            case ROUGE_LSUM -> summary(sentences(prediction, stems), sentences(reference, stems));
        };
    }

    private static List<String> words(String text, boolean stems) {
        String plain = text.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", " ");
        List<String> words = Ngrams.words(plain);
        return stems
                ? words.stream()
                        .map(word -> word.length() > 3 ? PorterStemmer.stem(word) : word)
                        .toList()
                : words;
    }

    private static List<List<String>> sentences(String text, boolean stems) {
        return Arrays.stream(text.split("\n"))
                .filter(line -> !line.isEmpty())
                .map(line -> words(line, stems))
                .toList();
    }

    private static ClassScores ngrams(List<String> prediction, List<String> reference, int n) {
        Map<List<String>, Integer> predicted = Ngrams.ngrams(prediction, n);
        Map<List<String>, Integer> wanted = Ngrams.ngrams(reference, n);
        return ClassScores.of(Ngrams.shared(predicted, wanted), Ngrams.total(predicted), Ngrams.total(wanted));
    }

    private static ClassScores longest(List<String> prediction, List<String> reference) {
        return ClassScores.of(
                lengths(reference, prediction)[reference.size()][prediction.size()],
                prediction.size(),
                reference.size());
    }

    /** Words of the union of each reference sentence's subsequences with all sentences, each occurrence counted once. */
    private static ClassScores summary(List<List<String>> prediction, List<List<String>> reference) {
        Map<String, Integer> predicted = counts(prediction);
        Map<String, Integer> wanted = counts(reference);
        int size = Ngrams.total(predicted);
        int wantedSize = Ngrams.total(wanted);
        int hits = 0;
        for (List<String> sentence : reference) {
            TreeSet<Integer> union = new TreeSet<>();
            prediction.forEach(candidate -> union.addAll(common(sentence, candidate)));
            for (int index : union) {
                String word = sentence.get(index);
                if (predicted.getOrDefault(word, 0) > 0 && wanted.getOrDefault(word, 0) > 0) {
                    hits++;
                    predicted.merge(word, -1, Integer::sum);
                    wanted.merge(word, -1, Integer::sum);
                }
            }
        }
        return ClassScores.of(hits, size, wantedSize);
    }

    private static Map<String, Integer> counts(List<List<String>> sentences) {
        Map<String, Integer> counts = new HashMap<>();
        sentences.forEach(sentence -> sentence.forEach(word -> counts.merge(word, 1, Integer::sum)));
        return counts;
    }

    /** Lengths of the longest common subsequences of all pairs of beginnings. */
    private static int[][] lengths(List<String> a, List<String> b) {
        int[][] lengths = new int[a.size() + 1][b.size() + 1];
        for (int i = 1; i <= a.size(); i++) {
            for (int j = 1; j <= b.size(); j++) {
                lengths[i][j] = a.get(i - 1).equals(b.get(j - 1))
                        ? lengths[i - 1][j - 1] + 1
                        : Math.max(lengths[i - 1][j], lengths[i][j - 1]);
            }
        }
        return lengths;
    }

    /** Returns the words of {@code a} that are in a longest common subsequence. */
    private static List<Integer> common(List<String> a, List<String> b) {
        int[][] lengths = lengths(a, b);
        List<Integer> indices = new ArrayList<>();
        int i = a.size();
        int j = b.size();
        while (i > 0 && j > 0) {
            if (a.get(i - 1).equals(b.get(j - 1))) {
                indices.add(--i);
                j--;
            } else if (lengths[i][j - 1] > lengths[i - 1][j]) {
                j--;
            } else {
                i--;
            }
        }
        return indices;
    }
}
