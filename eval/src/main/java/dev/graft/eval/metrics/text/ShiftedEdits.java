package dev.graft.eval.metrics.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The edits from one list of words to another where a group of words may move as one edit, found greedily as Tercom does:
 * as long as some shift lowers the edit distance, the one that lowers it most is made. Limits and order of preference are
 * sacreBLEU's.
 */
final class ShiftedEdits {

    private static final int LONGEST_SHIFT = 10;
    private static final int FARTHEST_SHIFT = 50;
    private static final int MOST_CANDIDATES = 1000;

    private final List<String> reference;
    private int candidates;

    private ShiftedEdits(List<String> reference) {
        this.reference = reference;
    }

    static int count(List<String> output, List<String> reference) {
        if (reference.isEmpty()) {
            return output.size();
        }
        ShiftedEdits search = new ShiftedEdits(reference);
        List<String> words = output;
        int shifts = 0;
        while (true) {
            Shift shift = search.best(words);
            if (search.candidates >= MOST_CANDIDATES || shift == null || shift.gain <= 0) {
                return shifts + EditPath.of(words, reference).distance();
            }
            shifts++;
            words = shift.words;
        }
    }

    /** A group of words of one length that stands at {@code from} and would stand before {@code to}. */
    private record Shift(int gain, int length, int from, int to, List<String> words) {
        boolean isBetterThan(@Nullable Shift other) {
            if (other == null || gain != other.gain) {
                return other == null || gain > other.gain;
            }
            if (length != other.length) {
                return length > other.length;
            }
            if (from != other.from) {
                return from < other.from;
            }
            return to != other.to ? to < other.to : compare(words, other.words) > 0;
        }

        private static int compare(List<String> a, List<String> b) {
            return Arrays.compare(a.toArray(String[]::new), b.toArray(String[]::new));
        }
    }

    private @Nullable Shift best(List<String> words) {
        EditPath path = EditPath.of(words, reference);
        @Nullable Shift best = null;
        for (int from = 0; from < words.size(); from++) {
            for (int at = 0; at < reference.size(); at++) {
                int longest = Math.abs(at - from) > FARTHEST_SHIFT ? 0 : equalWords(words, from, at);
                for (int length = 1; length <= longest; length++) {
                    best = better(best, words, path, from, at, length);
                    if (candidates >= MOST_CANDIDATES) {
                        return best;
                    }
                }
            }
        }
        return best;
    }

    private int equalWords(List<String> words, int from, int at) {
        int most = Math.min(LONGEST_SHIFT, Math.min(words.size() - from, reference.size() - at));
        int length = 0;
        while (length < most && words.get(from + length).equals(reference.get(at + length))) {
            length++;
        }
        return length;
    }

    /** The best of {@code best} and all shifts of one group to where it would stand in the reference. */
    private @Nullable Shift better(
            @Nullable Shift best, List<String> words, EditPath path, int from, int at, int length) {
        boolean wrongAlready = path.wrongInOutput(from, length) && path.wrongInReference(at, length);
        int aligned = path.aligned(at);
        if (!wrongAlready || from <= aligned && aligned < from + length) {
            return best;
        }
        @Nullable Shift found = best;
        int previous = -1;
        for (int offset = -1; offset < length; offset++) {
            int to = at + offset == -1 ? 0 : path.aligned(at + offset) + 1;
            if (to != previous) {
                previous = to;
                List<String> moved = move(words, from, length, to);
                int gain = path.distance() - EditPath.of(moved, reference).distance();
                Shift shift = new Shift(gain, length, from, to, moved);
                candidates++;
                if (shift.isBetterThan(found)) {
                    found = shift;
                }
            }
        }
        return found;
    }

    private static List<String> move(List<String> words, int from, int length, int to) {
        List<String> group = words.subList(from, from + length);
        List<String> rest = new ArrayList<>(words.subList(0, from));
        rest.addAll(words.subList(from + length, words.size()));
        int place = to < from ? to : to > from + length ? to - length : Math.min(to, rest.size());
        rest.addAll(place, group);
        return rest;
    }
}
