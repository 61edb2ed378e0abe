package dev.graft.train.bench;

import dev.graft.train.data.Example;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Ways to arrange benchmark rows in batches. */
public enum Recipe {
    /**
     * Rows sorted by length, which saves padding, and batches shuffled by Python's {@code random.Random(0).shuffle}.
     */
    TUNED,
    /** Rows in the order of the file. */
    DEFAULT;

    /**
     * Returns batches of rows, which are repeated until there are enough.
     *
     * @param size the number of rows in a batch
     * @param count the number of batches
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

    /** Returns the name as options write it, in lower case. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
