package dev.graft.eval.metrics.text;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The words of an English text as the Penn Treebank splits them, in lower case and without punctuation, which is how COCO's captions
 * are compared: {@code It's cheap, isn't it?} is {@code it 's cheap is n't it}. The rules are those of Stanford's tokenizer for plain
 * sentences; it knows more abbreviations.
 */
final class PtbTokenizer {
    private static final Set<String> PUNCTUATION =
            Set.of("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";", "\"");

    /** An abbreviation whose point isn't the end of a sentence ({@code no.} is one before a number), or letters with points between. */
    private static final String ABBREVIATION =
            "(?:mr|mrs|ms|dr|st|co|inc|ltd|corp|jr|sr|vs|etc)\\.|no\\.(?= ?\\d)|(?:[a-z]\\.){2,}";

    private static final Pattern WORD = Pattern.compile("(?U)" + ABBREVIATION
            + "|\\d+(?:[.,:]\\d+)*(?:[-/]\\d+(?:[.,]\\d+)*)*(?:[\\p{L}][\\p{L}\\d]*)?(?:-[\\p{L}\\d]+)*"
            + "|can(?=not\\b)|gon(?=na\\b)|wan(?=na\\b)|got(?=ta\\b)"
            + "|n't\\b|'(?:s|re|ve|ll|m|d)\\b"
            + "|o'[\\p{L}]+?(?='s\\b|\\b)"
            + "|[\\p{L}](?:(?!n't\\b)[\\p{L}\\d])*(?:[-/_&](?:(?!n't\\b)[\\p{L}\\d])+)*"
            + "|\\.\\.\\.|--|``|''|\\S");

    private PtbTokenizer() {}

    static List<String> of(String text) {
        return WORD.matcher(typed(text.toLowerCase(Locale.ROOT)))
                .results()
                .map(match -> written(match.group()))
                .filter(word -> !PUNCTUATION.contains(word))
                .toList();
    }

    /** Marks of print as a typewriter has them. */
    private static String typed(String text) {
        return text.replace('’', '\'')
                .replace('‘', '`')
                .replace("“", "``")
                .replace("”", "''")
                .replaceAll("[–—]", "--")
                .replace("…", "...");
    }

    /** Returns a word as Stanford writes it. COCO's script strips brackets in capitals, but what it reads is in lower case, so that they stay. */
    private static String written(String word) {
        return switch (word) {
            case "(" -> "-lrb-";
            case ")" -> "-rrb-";
            case "[" -> "-lsb-";
            case "]" -> "-rsb-";
            case "{" -> "-lcb-";
            case "}" -> "-rcb-";
            case "£" -> "#";
            case "€" -> "$";
            default -> word;
        };
    }
}
