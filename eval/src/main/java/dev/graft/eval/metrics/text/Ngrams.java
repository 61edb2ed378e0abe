package dev.graft.eval.metrics.text;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Words of a text and how often sequences of them occur. */
final class Ngrams {

    private Ngrams() {}

    /** Returns the words between white space. */
    static List<String> words(String text) {
        String trimmed = text.strip();
        return trimmed.isEmpty() ? List.of() : Arrays.asList(trimmed.split("\\s+"));
    }

    /** Returns the counts of the sequences of {@code n} neighbours. */
    static Map<List<String>, Integer> ngrams(List<String> words, int n) {
        Map<List<String>, Integer> counts = new HashMap<>();
        for (int i = 0; i + n <= words.size(); i++) {
            counts.merge(List.copyOf(words.subList(i, i + n)), 1, Integer::sum);
        }
        return counts;
    }

    /** Returns the number of occurrences that two counts share. */
    static <T> int shared(Map<T, Integer> a, Map<T, Integer> b) {
        int shared = 0;
        for (Map.Entry<T, Integer> entry : a.entrySet()) {
            shared += Math.min(entry.getValue(), b.getOrDefault(entry.getKey(), 0));
        }
        return shared;
    }

    static int total(Map<?, Integer> counts) {
        return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    /** Unicode characters, each a string. */
    static List<String> characters(String text) {
        return text.codePoints().mapToObj(Character::toString).toList();
    }
}
