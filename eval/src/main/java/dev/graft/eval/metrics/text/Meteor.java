package dev.graft.eval.metrics.text;

import dev.graft.eval.metrics.Metric;
import dev.graft.eval.metrics.NoRowsException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * METEOR (Banerjee and Lavie, 2005) with the weights of Lavie and Agarwal (2007), equal to NLTK's {@code meteor_score}: words are matched
 * exactly, then by stem, then by WordNet synonyms. The score is a harmonic mean of precision and recall with nine times the weight on
 * recall, reduced if the matches are fragmented. A row is scored by the best of several references; the value is the mean over rows, in [0,
 * 1]. Words are those of {@link PtbTokenizer}, as in the scripts of COCO and the E2E challenge.
 *
 * <pre>{@code
 * var meteor = new Meteor(Synonyms.read(new Hub().fetch("wordnet")));
 * rows.forEach(meteor::update);
 * meteor.value(); // 0.41
 * }</pre>
 */
public final class Meteor implements Metric<TextPrediction> {
    private static final double RECALL = 0.9;
    private static final double POWER = 3;
    private static final double MOST = 0.5;

    private final @Nullable Synonyms synonyms;
    private double sum;
    private long rows;

    /** A word that isn't matched yet, and where it stands. */
    private record Word(int place, String text) {}

    /** Places of words that match. */
    private record Match(int text, int reference) {}

    /** Creates a metric without synonyms; its name says so. */
    public Meteor() {
        this(null);
    }

    /**
     * Creates a metric.
     *
     * @param synonyms the synonyms; null to match words exactly and by stem only
     */
    public Meteor(@Nullable Synonyms synonyms) {
        this.synonyms = synonyms;
    }

    @Override
    public String name() {
        return synonyms == null ? "meteor_exact_stem" : "meteor";
    }

    @Override
    public boolean higherIsBetter() {
        return true;
    }

    @Override
    public void update(TextPrediction row) {
        List<String> text = PtbTokenizer.of(row.prediction());
        sum += row.references().stream()
                .mapToDouble(reference -> score(text, PtbTokenizer.of(reference), synonyms))
                .max()
                .orElseThrow();
        rows++;
    }

    @Override
    public double value() {
        if (rows == 0) {
            throw new NoRowsException(name());
        }
        return sum / rows;
    }

    /** Returns the score of a text's words against those of one reference. */
    static double score(List<String> text, List<String> reference, @Nullable Synonyms synonyms) {
        List<Word> own = words(text);
        List<Word> right = words(reference);
        List<Match> matches = new ArrayList<>();
        match(own, right, Set::of, matches);
        own.replaceAll(Meteor::stem);
        right.replaceAll(Meteor::stem);
        match(own, right, Set::of, matches);
        if (synonyms != null) {
            // As NLTK has it, of the stems.
            match(own, right, synonyms::of, matches);
        }
        if (matches.isEmpty()) {
            return 0;
        }
        matches.sort(Comparator.comparingInt(Match::text));
        double precision = (double) matches.size() / text.size();
        double recall = (double) matches.size() / reference.size();
        double mean = precision * recall / (RECALL * precision + (1 - RECALL) * recall);
        return (1 - MOST * Math.pow((double) chunks(matches) / matches.size(), POWER)) * mean;
    }

    private static List<Word> words(List<String> texts) {
        List<Word> words = new ArrayList<>();
        texts.forEach(text -> words.add(new Word(words.size(), text.toLowerCase(Locale.ROOT))));
        return words;
    }

    private static Word stem(Word word) {
        return new Word(word.place, PorterStemmer.stem(word.text));
    }

    /**
     * Moves words that match from both lists: from the last word of the text to the first, each with the last word of the reference that
     * is one of those that may stand for it.
     */
    private static void match(
            List<Word> text, List<Word> reference, Function<String, Set<String>> standing, List<Match> matches) {
        Map<String, Deque<Word>> free = new HashMap<>();
        reference.forEach(word ->
                free.computeIfAbsent(word.text, any -> new ArrayDeque<>()).push(word));
        for (int i = text.size() - 1; i >= 0; i--) {
            Deque<Word> last = null;
            for (String each : standing.apply(text.get(i).text)) {
                Deque<Word> words = free.get(each);
                if (words != null
                        && !words.isEmpty()
                        && (last == null || words.element().place > last.element().place)) {
                    last = words;
                }
            }
            if (last != null) {
                Word found = last.pop();
                matches.add(new Match(text.remove(i).place, found.place));
                reference.remove(found);
            }
        }
    }

    /** The fewest runs of matches that follow one another in both texts. */
    private static int chunks(List<Match> matches) {
        int chunks = 1;
        Iterator<Match> all = matches.iterator();
        Match before = all.next();
        while (all.hasNext()) {
            Match match = all.next();
            chunks += match.text == before.text + 1 && match.reference == before.reference + 1 ? 0 : 1;
            before = match;
        }
        return chunks;
    }
}
