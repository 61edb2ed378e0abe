package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.Splits;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Rows shared out to train, to validate and to test on, the same on every machine: by hashes of the groups that they belong to. */
final class Parts {
    private static final double SHARE = 0.1;
    private static final int MOST = 2000;

    private Parts() {}

    /**
     * A row, and what it may not be parted from: rows of one group are alike.
     *
     * @param group for example the rule that a sentence breaks
     */
    record Grouped(String group, Row row) {}

    /**
     * A tenth of the rows, at most 2,000, to test on, as many to validate on, the others to train on. An input that is there twice is kept
     * once; one with two labels isn't kept.
     */
    static Splits of(String name, List<Grouped> rows) {
        List<List<Row>> groups = groups(unambiguous(rows));
        int all = groups.stream().mapToInt(List::size).sum();
        if (all < 3 || groups.size() < 3) {
            throw new FormatException(
                    name, "has " + all + " rows in " + groups.size() + " groups, too few for three parts", null);
        }
        int size = (int) Math.min(MOST, Math.max(1, Math.round(SHARE * all)));
        List<Row> test = new ArrayList<>();
        List<Row> validation = new ArrayList<>();
        List<Row> train = new ArrayList<>();
        for (List<Row> group : groups) {
            (test.size() < size ? test : validation.size() < size ? validation : train).addAll(group);
        }
        return splits(name, train, validation, test);
    }

    /**
     * About a share of the groups to test on, as many to validate on, the others to train on. A group's own hash decides, so that sets with
     * the same groups part them alike.
     */
    static Splits alike(String name, List<Grouped> rows, double share) {
        List<Row> test = new ArrayList<>();
        List<Row> validation = new ArrayList<>();
        List<Row> train = new ArrayList<>();
        for (Grouped row : unambiguous(rows)) {
            double place = (key(row.group) >>> 11) * 0x1p-53;
            (place < share ? test : place < 2 * share ? validation : train).add(row.row);
        }
        if (test.isEmpty() || validation.isEmpty() || train.isEmpty()) {
            throw new FormatException(name, "has " + rows.size() + " rows, too few for three parts", null);
        }
        return splits(name, train, validation, test);
    }

    private static Splits splits(String name, List<Row> train, List<Row> validation, List<Row> test) {
        return new Splits(
                Rows.of(name + "/train", train),
                Rows.of(name + "/validation", validation),
                Rows.of(name + "/test", test),
                List.of());
    }

    private static long key(String group) {
        return new Row.Text(group, null, (Label) null).hash();
    }

    private static List<Grouped> unambiguous(List<Grouped> rows) {
        Map<Long, Grouped> first = new LinkedHashMap<>();
        Set<Long> ambiguous = new HashSet<>();
        for (Grouped row : rows) {
            Grouped before = first.putIfAbsent(row.row.hash(), row);
            if (before != null && !Objects.equals(before.row.label(), row.row.label())) {
                ambiguous.add(row.row.hash());
            }
        }
        ambiguous.forEach(first::remove);
        return List.copyOf(first.values());
    }

    private static List<List<Row>> groups(List<Grouped> rows) {
        Map<String, List<Row>> groups = new HashMap<>();
        rows.forEach(row ->
                groups.computeIfAbsent(row.group, group -> new ArrayList<>()).add(row.row));
        record Keyed(long key, List<Row> rows) {}
        return groups.entrySet().stream()
                .map(group -> new Keyed(key(group.getKey()), group.getValue()))
                .sorted(Comparator.comparingLong(Keyed::key))
                .map(Keyed::rows)
                .toList();
    }
}
