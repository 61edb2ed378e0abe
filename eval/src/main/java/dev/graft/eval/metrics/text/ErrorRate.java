package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.List;
import java.util.function.Function;

/**
 * The error rate of transcripts: insertions, deletions and substitutions for each word (WER) or character (CER) of the
 * references, summed over rows before they are divided; above 1 where more is wrong than there is. A row counts the
 * reference that it is closest to.
 */
public final class ErrorRate implements Metric<TextPrediction> {

    private final String name;
    private final Function<String, List<String>> split;
    private long errors;
    private long length;

    private ErrorRate(String name, Function<String, List<String>> split) {
        this.name = name;
        this.split = split;
    }

    /** Returns the error rate of words between white space. */
    public static ErrorRate ofWords() {
        return new ErrorRate("wer", Ngrams::words);
    }

    /** Returns the error rate of characters, spaces included. */
    public static ErrorRate ofCharacters() {
        return new ErrorRate("cer", text -> Ngrams.characters(text.strip()));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(TextPrediction row) {
        List<String> output = split.apply(row.prediction());
        int fewest = Integer.MAX_VALUE;
        int size = 0;
        for (String reference : row.references()) {
            List<String> wanted = split.apply(reference);
            int edits = edits(output, wanted);
            if (edits < fewest) {
                fewest = edits;
                size = wanted.size();
            }
        }
        errors += fewest;
        length += size;
    }

    @Override
    public double value() {
        if (length == 0) {
            throw new NoRowsException(name());
        }
        return (double) errors / length;
    }

    /** Levenshtein's distance. */
    private static int edits(List<String> a, List<String> b) {
        int[] row = new int[b.size() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.size(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int substituted = diagonal + (a.get(i - 1).equals(b.get(j - 1)) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.size()];
    }
}
