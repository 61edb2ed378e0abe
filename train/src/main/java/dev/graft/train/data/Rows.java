package dev.graft.train.data;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Rows in a fixed order, read on access. Safe for use by several threads. */
public interface Rows extends AutoCloseable {

    int size();

    Row get(int index);

    /** Returns the place of a row, such as {@code train.jsonl:17}. */
    String place(int index);

    /** Returns the task that a row names; null if all rows are of one task. */
    default @Nullable String task(int index) {
        return null;
    }

    /** Returns the number of rows of each class, in the order of first appearance. */
    default Map<String, Integer> labelCounts() {
        Map<String, Integer> counts = new LinkedHashMap<>();
        for (int i = 0; i < size(); i++) {
            Label label = get(i).label();
            if (label != null) {
                label.names().forEach(name -> counts.merge(name, 1, Integer::sum));
            }
        }
        return counts;
    }

    /** Returns the {@link Row#hash} of a row. */
    default long hash(int index) {
        return get(index).hash();
    }

    /** Closes the file behind the rows, where there is one. */
    @Override
    default void close() {}

    /** Returns a view of some of the rows, in the order given. */
    default Rows select(int[] indices) {
        Rows all = this;
        int[] chosen = indices.clone();
        return new Rows() {
            @Override
            public int size() {
                return chosen.length;
            }

            @Override
            public Row get(int index) {
                return all.get(chosen[index]);
            }

            @Override
            public String place(int index) {
                return all.place(chosen[index]);
            }

            @Override
            public @Nullable String task(int index) {
                return all.task(chosen[index]);
            }

            @Override
            public long hash(int index) {
                return all.hash(chosen[index]);
            }

            @Override
            public void close() {
                all.close();
            }
        };
    }

    /**
     * Creates rows in memory.
     *
     * @param name the name to use for the file in messages
     */
    static Rows of(String name, List<? extends Row> rows) {
        List<Row> copy = List.copyOf(rows);
        return new Rows() {
            @Override
            public int size() {
                return copy.size();
            }

            @Override
            public Row get(int index) {
                return copy.get(index);
            }

            @Override
            public String place(int index) {
                return name + ":" + (index + 1);
            }
        };
    }
}
