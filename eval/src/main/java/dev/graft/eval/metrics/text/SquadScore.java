package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleBiFunction;
import java.util.regex.Pattern;

/**
 * Exact match and word F1 of answers as SQuAD's official script counts them: lower case, no ASCII punctuation, no
 * articles, white space collapsed; the best over the references of a row; an empty side scores 1 only if both are empty
 * (SQuAD 2.0's questions without an answer have the reference ""). In percent.
 *
 * <pre>{@code
 * var squad = new SquadScore();
 * squad.update(new TextPrediction("the 1990s", List.of("1990s", "in the 1990s")));
 * squad.values(); // {f1=100.0, exact_match=100.0}
 * }</pre>
 */
public final class SquadScore implements Metric<TextPrediction> {

    private static final Pattern PUNCTUATION = Pattern.compile("[!-/:-@\\[-`{-~]");
    private static final Pattern ARTICLES = Pattern.compile("\\b(a|an|the)\\b", Pattern.UNICODE_CHARACTER_CLASS);

    private double f1;
    private long equal;
    private long rows;

    @Override
    public String name() {
        return "f1";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TextPrediction row) {
        f1 += best(row, SquadScore::f1);
        equal += (long) best(row, SquadScore::exactMatch);
        rows++;
    }

    @Override
    public double value() {
        return percent(f1);
    }

    @Override
    public Map<String, Double> values() {
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("f1", value());
        values.put("exact_match", percent(equal));
        return values;
    }

    private double percent(double sum) {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return 100 * sum / rows;
    }

    private static double best(TextPrediction row, ToDoubleBiFunction<String, String> score) {
        return row.references().stream()
                .mapToDouble(reference -> score.applyAsDouble(row.prediction(), reference))
                .max()
                .orElseThrow();
    }

    /** Returns the normalised text for comparison: {@code "The Cat!"} becomes {@code "cat"}. */
    public static String normalise(String text) {
        String plain =
                PUNCTUATION.matcher(text.toLowerCase(java.util.Locale.ROOT)).replaceAll("");
        return String.join(" ", Ngrams.words(ARTICLES.matcher(plain).replaceAll(" ")));
    }

    /** Returns 1 if the normalised texts are equal, else 0. */
    public static double exactMatch(String prediction, String reference) {
        return normalise(prediction).equals(normalise(reference)) ? 1 : 0;
    }

    /** Returns the F1 of the normalised texts' words, counted with repetition, in [0, 1]. */
    public static double f1(String prediction, String reference) {
        List<String> predicted = Ngrams.words(normalise(prediction));
        List<String> wanted = Ngrams.words(normalise(reference));
        if (predicted.isEmpty() || wanted.isEmpty()) {
            return predicted.equals(wanted) ? 1 : 0;
        }
        double shared = Ngrams.shared(Ngrams.ngrams(predicted, 1), Ngrams.ngrams(wanted, 1));
        return 2 * shared / (predicted.size() + wanted.size());
    }
}
