package dev.graft.formats.internal;

import java.util.Collection;
import org.jspecify.annotations.Nullable;

/** Suggestions for misspelt names. */
public final class NameHint {

    private NameHint() {}

    /** Returns {@code , did you mean "rank"?}, or an empty text where no candidate is near. */
    public static String hint(String name, Collection<String> candidates) {
        String nearest = nearest(name, candidates);
        return nearest == null ? "" : ", did you mean \"" + nearest + "\"?";
    }

    /**
     * Returns the candidate with the smallest edit distance, if that is at most a third of the length (and at least one edit is allowed).
     */
    public static @Nullable String nearest(String name, Collection<String> candidates) {
        String best = null;
        int limit = Math.max(1, name.length() / 3);
        for (String candidate : candidates) {
            if (Math.abs(candidate.length() - name.length()) <= limit) {
                int distance = distance(name, candidate);
                if (distance <= limit) {
                    best = candidate;
                    limit = distance - 1;
                }
            }
        }
        return best;
    }

    /** Returns Levenshtein's edit distance. */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j < row.length; j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j < row.length; j++) {
                int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(substituted, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
