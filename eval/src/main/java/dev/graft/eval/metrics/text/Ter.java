package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Translation edit rate (Snover et al. 2006) of a corpus in percent, equal to sacreBLEU and Tercom: insertions, deletions,
 * substitutions and shifts of word groups for each word of the references. Lower is better. A row counts its cheapest
 * reference and the mean length of all of them.
 */
public final class Ter implements Metric<TextPrediction> {

    private static final Pattern PUNCTUATION = Pattern.compile("[.,?:;!\"()]");
    private static final Pattern POSSESSIVE = Pattern.compile("'s( |$)");

    private final boolean normalised;
    private final boolean punctuation;
    private long edits;
    private double referenceLength;
    private long rows;

    /**
     * Creates the metric.
     *
     * @param normalised true to split punctuation from words first
     * @param punctuation true to count punctuation
     */
    public Ter(boolean normalised, boolean punctuation) {
        this.normalised = normalised;
        this.punctuation = punctuation;
    }

    /** Creates the metric for words between spaces, with punctuation counted. */
    public Ter() {
        this(false, true);
    }

    @Override
    public String name() {
        return "ter";
    }

    @Override
    public boolean higherIsBetter() {
        return false;
    }

    @Override
    public void update(TextPrediction row) {
        List<String> output = words(row.prediction());
        int cheapest = Integer.MAX_VALUE;
        double length = 0;
        for (String reference : row.references()) {
            List<String> wanted = words(reference);
            cheapest = Math.min(cheapest, ShiftedEdits.count(output, wanted));
            length += wanted.size();
        }
        edits += cheapest;
        referenceLength += length / row.references().size();
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        if (referenceLength > 0) {
            return 100 * edits / referenceLength;
        }
        return edits > 0 ? 100 : 0;
    }

    private List<String> words(String text) {
        String line = text.stripTrailing().toLowerCase(Locale.ROOT);
        if (normalised) {
            String joined = line.replace("\n-", "").replace("\n", " ");
            String marked = BleuTokenizer.marks(" " + BleuTokenizer.unescape(joined) + " ");
            line = BleuTokenizer.pointsAndDashes(POSSESSIVE.matcher(marked).replaceAll(" 's$1"));
        }
        return Ngrams.words(punctuation ? line : PUNCTUATION.matcher(line).replaceAll(""));
    }
}
