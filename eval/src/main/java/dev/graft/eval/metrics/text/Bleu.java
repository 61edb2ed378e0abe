package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * BLEU (Papineni et al. 2002) of a corpus in percent, equal to sacreBLEU: the geometric mean of clipped n-gram precisions
 * times exp(1 - r/c) if the output, of c words, is shorter than the closest references, of r words. Counts are summed over
 * rows before anything is divided; it isn't a mean over rows.
 *
 * <pre>{@code
 * var bleu = new Bleu();
 * rows.forEach(bleu::update);
 * bleu.value();      // 0 to 100
 * bleu.signature();  // "case:mixed|eff:no|tok:13a|smooth:exp", to be reported beside the number
 * }</pre>
 */
public final class Bleu implements Metric<TextPrediction> {

    /** The replacement of a precision of zero (Chen and Cherry 2014). */
    public enum Smoothing {
        /** Half of one match, halved again for each further order without a match: the default. */
        EXP,
        /** A tenth of a match. */
        FLOOR,
        /** Adds a match and an n-gram for orders above 1. */
        ADD_K,
        NONE
    }

    /**
     * Options of BLEU, as in sacreBLEU.
     *
     * @param order the longest n-gram
     * @param effectiveOrder true to skip orders longer than the output, as suits single sentences
     */
    public record Options(
            BleuTokenizer tokenizer, boolean lowercase, int order, Smoothing smoothing, boolean effectiveOrder) {

        public static final Options DEFAULT =
                new Options(BleuTokenizer.INTERNATIONAL_13A, false, 4, Smoothing.EXP, false);

        public Options {
            if (order < 1) {
                throw new IllegalArgumentException("the longest n-gram is " + order + ", expected at least 1");
            }
        }
    }

    private static final double LOG_OF_ZERO = -9999999999.0;

    private final Options options;
    private final long[] matches;
    private final long[] totals;
    private long outputLength;
    private long referenceLength;
    private long rows;

    public Bleu() {
        this(Options.DEFAULT);
    }

    public Bleu(Options options) {
        this.options = options;
        matches = new long[options.order()];
        totals = new long[options.order()];
    }

    @Override
    public String name() {
        return "bleu";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    /** Returns the options that the score depends on, in sacreBLEU's notation. */
    public String signature() {
        return "case:" + (options.lowercase() ? "lc" : "mixed") + "|eff:" + (options.effectiveOrder() ? "yes" : "no")
                + "|tok:" + options.tokenizer().sacreName() + "|smooth:"
                + options.smoothing().name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    @Override
    public void update(TextPrediction row) {
        List<String> output = words(row.prediction());
        List<List<String>> references =
                row.references().stream().map(this::words).toList();
        outputLength += output.size();
        referenceLength += closest(output.size(), references);
        for (int n = 1; n <= options.order(); n++) {
            Map<List<String>, Integer> allowed = new HashMap<>();
            for (List<String> reference : references) {
                Ngrams.ngrams(reference, n).forEach((ngram, count) -> allowed.merge(ngram, count, Math::max));
            }
            Map<List<String>, Integer> counts = Ngrams.ngrams(output, n);
            matches[n - 1] += Ngrams.shared(counts, allowed);
            totals[n - 1] += Ngrams.total(counts);
        }
        rows++;
    }

    private List<String> words(String text) {
        String line = text.stripTrailing();
        return options.tokenizer().words(options.lowercase() ? line.toLowerCase(Locale.ROOT) : line);
    }

    /** The length nearest to the output's, the shorter one of two as near. */
    private static int closest(int length, List<List<String>> references) {
        int best = references.get(0).size();
        for (List<String> reference : references) {
            int distance = Math.abs(reference.size() - length);
            int sofar = Math.abs(best - length);
            if (distance < sofar || distance == sofar && reference.size() < best) {
                best = reference.size();
            }
        }
        return best;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        double[] precisions = precisions();
        boolean any = false;
        for (long match : matches) {
            any |= match > 0;
        }
        if (!any) {
            return 0;
        }
        int used = options.order();
        if (options.effectiveOrder()) {
            while (used > 1 && totals[used - 1] == 0) {
                used--;
            }
        }
        double logs = 0;
        for (int i = 0; i < used; i++) {
            logs += precisions[i] == 0 ? LOG_OF_ZERO : Math.log(precisions[i]);
        }
        return brevityPenalty() * Math.exp(logs / used);
    }

    /** Returns the smoothed precision of each n-gram order, in percent, {@code [order]}. */
    public double[] precisions() {
        double[] precisions = new double[options.order()];
        double halved = 1;
        for (int i = 0; i < precisions.length; i++) {
            int added = options.smoothing() == Smoothing.ADD_K && i > 0 ? 1 : 0;
            long match = matches[i] + added;
            long total = totals[i] + added;
            if (total == 0) {
                break;
            }
            if (match > 0) {
                precisions[i] = 100.0 * match / total;
            } else if (options.smoothing() == Smoothing.EXP) {
                halved *= 2;
                precisions[i] = 100.0 / (halved * total);
            } else if (options.smoothing() == Smoothing.FLOOR) {
                precisions[i] = 100.0 * 0.1 / total;
            }
        }
        return precisions;
    }

    public double brevityPenalty() {
        if (outputLength >= referenceLength) {
            return 1;
        }
        return outputLength == 0 ? 0 : Math.exp(1 - (double) referenceLength / outputLength);
    }

    /** Returns the number of words of the outputs, summed over rows. */
    public long outputLength() {
        return outputLength;
    }

    /** Returns the number of words of each row's closest reference, summed over rows. */
    public long referenceLength() {
        return referenceLength;
    }
}
