package dev.graft.train.bench;

import dev.graft.train.data.Example;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Which rows form which batch, in which order. */
public enum Recipe {
    /** Rows of similar length together, which saves padding, and the batches in the order of Python's {@code random.Random(0).shuffle}. */
    TUNED,
    /** Rows as the file has them. */
    DEFAULT;

    /**
     * Batches of the rows, which are repeated as often as it takes.
     *
     * @param size rows of a batch
     * @param count how many batches
     */
    public List<List<Example>> batches(List<Example> rows, int size, int count) {
        List<Example> used = new ArrayList<>();
        for (int i = 0; i < Math.multiplyExact(size, count); i++) {
            used.add(rows.get(i % rows.size()));
        }
        if (this == TUNED) {
            used.sort(Comparator.comparingInt(Example::length));
        }
        List<List<Example>> batches = new ArrayList<>();
        for (int start = 0; start < used.size(); start += size) {
            batches.add(List.copyOf(used.subList(start, start + size)));
        }
        if (this == TUNED) {
            new PythonRandom(0).shuffle(batches);
        }
        return batches;
    }

    /** As options write it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
