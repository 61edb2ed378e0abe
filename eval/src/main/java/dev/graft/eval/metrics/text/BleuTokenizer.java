package dev.graft.eval.metrics.text;

import java.util.List;
import java.util.regex.Pattern;

/** A tokenizer of BLEU; scores of different tokenizers can't be compared. The rules are sacreBLEU's. */
public enum BleuTokenizer {
    /** WMT's {@code mteval-v13a}: ASCII punctuation is split off, except periods and commas inside numbers. */
    INTERNATIONAL_13A("13a") {
        @Override
        String separate(String line) {
            String joined = line.replace("<skipped>", "").replace("-\n", "").replace("\n", " ");
            String spaced = " " + unescape(joined) + " ";
            return westernPunctuation(spaced);
        }
    },
    /** {@code mteval-v14}'s international rules: Unicode punctuation and symbols are split off. */
    UNICODE("intl") {
        @Override
        String separate(String line) {
            String left = NO_NUMBER_THEN_PUNCTUATION.matcher(line).replaceAll("$1 $2 ");
            String right = PUNCTUATION_THEN_NO_NUMBER.matcher(left).replaceAll(" $1 $2");
            return SYMBOL.matcher(right).replaceAll(" $1 ");
        }
    },
    /** Every character is a word. */
    CHARACTERS("char") {
        @Override
        String separate(String line) {
            return String.join(" ", Ngrams.characters(line));
        }
    },
    /** The text is already tokenised. */
    NONE("none") {
        @Override
        String separate(String line) {
            return line;
        }
    };

    private static final Pattern NO_NUMBER_THEN_PUNCTUATION = Pattern.compile("(\\P{N})(\\p{P})");
    private static final Pattern PUNCTUATION_THEN_NO_NUMBER = Pattern.compile("(\\p{P})(\\P{N})");
    private static final Pattern SYMBOL = Pattern.compile("(\\p{S})");
    private static final Pattern MARKS = Pattern.compile("([{-~\\[-` -&(-+:-@/])");
    private static final Pattern NO_DIGIT_THEN_POINT = Pattern.compile("([^0-9])([.,])");
    private static final Pattern POINT_THEN_NO_DIGIT = Pattern.compile("([.,])([^0-9])");
    private static final Pattern DIGIT_THEN_DASH = Pattern.compile("([0-9])(-)");

    private final String sacreName;

    BleuTokenizer(String sacreName) {
        this.sacreName = sacreName;
    }

    String sacreName() {
        return sacreName;
    }

    abstract String separate(String line);

    List<String> words(String line) {
        return Ngrams.words(separate(line));
    }

    static String unescape(String line) {
        return line.replace("&quot;", "\"")
                .replace("&amp;", "&")
                .replace("&lt;", "<")
                .replace("&gt;", ">");
    }

    static String westernPunctuation(String line) {
        return pointsAndDashes(marks(line));
    }

    static String marks(String line) {
        return MARKS.matcher(line).replaceAll(" $1 ");
    }

    static String pointsAndDashes(String line) {
        String left = NO_DIGIT_THEN_POINT.matcher(line).replaceAll("$1 $2 ");
        String right = POINT_THEN_NO_DIGIT.matcher(left).replaceAll(" $1 $2");
        return DIGIT_THEN_DASH.matcher(right).replaceAll("$1 $2 ");
    }
}
