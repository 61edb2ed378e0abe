package dev.graft.eval.metrics.text;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/**
 * English stems by Porter's algorithm (1980) with NLTK's extensions, which ROUGE's reference implementation uses:
 * {@code running -> run, relational -> relat, flies -> fli, dying -> die}.
 */
final class PorterStemmer {

    private static final Map<String, String> IRREGULAR = Map.ofEntries(
            Map.entry("sky", "sky"),
            Map.entry("skies", "sky"),
            Map.entry("dying", "die"),
            Map.entry("lying", "lie"),
            Map.entry("tying", "tie"),
            Map.entry("news", "news"),
            Map.entry("innings", "inning"),
            Map.entry("inning", "inning"),
            Map.entry("outings", "outing"),
            Map.entry("outing", "outing"),
            Map.entry("cannings", "canning"),
            Map.entry("canning", "canning"),
            Map.entry("howe", "howe"),
            Map.entry("proceed", "proceed"),
            Map.entry("exceed", "exceed"),
            Map.entry("succeed", "succeed"));

    /** Another ending for a word whose stem meets a condition; the first rule whose ending fits decides. */
    private record Rule(String ending, String replacement, Predicate<String> condition) {}

    private static final List<Rule> PLURALS = List.of(
            new Rule("sses", "ss", stem -> true),
            new Rule("ies", "i", stem -> true),
            new Rule("ss", "ss", stem -> true),
            new Rule("s", "", stem -> true));

    private static final List<Rule> DOUBLE_SUFFIXES = rules(
            0,
            "ational ate tional tion enci ence anci ance izer ize bli ble alli al entli ent eli e ousli ous ization ize"
                    + " ation ate ator ate alism al iveness ive fulness ful ousness ous aliti al iviti ive biliti ble"
                    + " fulli ful");

    private static final List<Rule> SUFFIXES = rules(0, "icate ic ative - alize al iciti ic ical ic ful - ness -");

    private static final List<Rule> LAST_SUFFIXES = List.of(
            last("al"),
            last("ance"),
            last("ence"),
            last("er"),
            last("ic"),
            last("able"),
            last("ible"),
            last("ant"),
            last("ement"),
            last("ment"),
            last("ent"),
            new Rule("ion", "", stem -> measure(stem) > 1 && (stem.endsWith("s") || stem.endsWith("t"))),
            last("ou"),
            last("ism"),
            last("ate"),
            last("iti"),
            last("ous"),
            last("ive"),
            last("ize"));

    private PorterStemmer() {}

    private static Rule last(String ending) {
        return new Rule(ending, "", stem -> measure(stem) > 1);
    }

    private static List<Rule> rules(int measure, String pairs) {
        String[] words = pairs.split(" ");
        return java.util.stream.IntStream.range(0, words.length / 2)
                .mapToObj(
                        i -> new Rule(words[2 * i], words[2 * i + 1].replace("-", ""), stem -> measure(stem) > measure))
                .toList();
    }

    static String stem(String word) {
        String lower = word.toLowerCase(Locale.ROOT);
        String irregular = IRREGULAR.get(lower);
        if (irregular != null) {
            return irregular;
        }
        if (lower.length() <= 2) {
            return lower;
        }
        String singular = lower.length() == 4 && lower.endsWith("ies") ? cut(lower, 1) : apply(PLURALS, lower);
        String present = withoutPast(singular);
        String yLess = consonantBeforeY(present) ? cut(present, 1) + "i" : present;
        return withoutE(apply(LAST_SUFFIXES, apply(SUFFIXES, shortened(yLess))));
    }

    private static String withoutPast(String word) {
        if (word.endsWith("ied")) {
            return cut(word, word.length() == 4 ? 1 : 2);
        }
        if (word.endsWith("eed")) {
            return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
        }
        for (String ending : List.of("ed", "ing")) {
            if (word.endsWith(ending) && hasVowel(cut(word, ending.length()))) {
                return completed(cut(word, ending.length()));
            }
        }
        return word;
    }

    /** The stem of a past or progressive form as an infinitive. */
    private static String completed(String stem) {
        if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) {
            return stem + "e";
        }
        if (endsInDoubleConsonant(stem)) {
            return "lsz".indexOf(stem.charAt(stem.length() - 1)) < 0 ? cut(stem, 1) : stem;
        }
        return measure(stem) == 1 && endsShort(stem) ? stem + "e" : stem;
    }

    private static boolean consonantBeforeY(String word) {
        int before = word.length() - 2;
        return word.endsWith("y") && before > 0 && consonants(word)[before];
    }

    private static String shortened(String word) {
        if (word.endsWith("alli") && measure(cut(word, 4)) > 0) {
            return shortened(cut(word, 2));
        }
        if (word.endsWith("logi")) {
            return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
        }
        return apply(DOUBLE_SUFFIXES, word);
    }

    private static String withoutE(String word) {
        String stem = cut(word, 1);
        int measure = measure(stem);
        if (word.endsWith("e") && (measure > 1 || measure == 1 && !endsShort(stem))) {
            return withoutDoubleL(stem);
        }
        return withoutDoubleL(word);
    }

    private static String withoutDoubleL(String word) {
        return word.endsWith("ll") && measure(cut(word, 1)) > 1 ? cut(word, 1) : word;
    }

    private static String apply(List<Rule> rules, String word) {
        for (Rule rule : rules) {
            if (word.endsWith(rule.ending)) {
                String stem = cut(word, rule.ending.length());
                return rule.condition.test(stem) ? stem + rule.replacement : word;
            }
        }
        return word;
    }

    private static String cut(String word, int letters) {
        return word.substring(0, word.length() - letters);
    }

    /** Returns which letters are consonants: a y is one unless a consonant precedes it. */
    private static boolean[] consonants(String word) {
        boolean[] consonants = new boolean[word.length()];
        for (int i = 0; i < consonants.length; i++) {
            char letter = word.charAt(i);
            consonants[i] = letter == 'y' ? i == 0 || !consonants[i - 1] : "aeiou".indexOf(letter) < 0;
        }
        return consonants;
    }

    /** Returns how often a consonant follows a vowel. */
    private static int measure(String stem) {
        boolean[] consonants = consonants(stem);
        int measure = 0;
        for (int i = 1; i < consonants.length; i++) {
            measure += consonants[i] && !consonants[i - 1] ? 1 : 0;
        }
        return measure;
    }

    private static boolean hasVowel(String stem) {
        for (boolean consonant : consonants(stem)) {
            if (!consonant) {
                return true;
            }
        }
        return false;
    }

    private static boolean endsInDoubleConsonant(String word) {
        int last = word.length() - 1;
        return last > 0 && word.charAt(last) == word.charAt(last - 1) && consonants(word)[last];
    }

    /** Returns whether a word ends in consonant, vowel, consonant other than w, x, y, or is a vowel and a consonant. */
    private static boolean endsShort(String word) {
        boolean[] consonants = consonants(word);
        int last = word.length() - 1;
        if (last == 1) {
            return !consonants[0] && consonants[1];
        }
        return last > 1
                && consonants[last - 2]
                && !consonants[last - 1]
                && consonants[last]
                && "wxy".indexOf(word.charAt(last)) < 0;
    }
}
