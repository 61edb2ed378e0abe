package dev.graft.run.config;

import java.util.Collection;
import java.util.Optional;

/** Finds the name that a misspelt one is likely to mean. */
public final class NearestName {
    private NearestName() {}

    /**
     * Returns the closest candidate if at most a third of its letters differ, or if {@code name} is its part after the dot.
     */
    public static Optional<String> find(String name, Collection<String> candidates) {
        String best = null;
        int smallest = Math.max(1, name.length() / 3) + 1;
        for (String candidate : candidates) {
            int distance = candidate.endsWith("." + name) ? 1 : distance(name, candidate);
            if (distance < smallest) {
                smallest = distance;
                best = candidate;
            }
        }
        return Optional.ofNullable(best);
    }

    /** Edits of one letter that lead from one to the other, an exchange of neighbours counting once. */
    private static int distance(String a, String b) {
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int replaced = d[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                d[i][j] = Math.min(replaced, 1 + Math.min(d[i - 1][j], d[i][j - 1]));
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }
}
