package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Divides rows into training, validation and test rows by hashes of their groups, the same on every machine. */
final class HashSplits {
    private static final double SHARE = 0.1;
    private static final int MOST = 2000;

    private HashSplits() {}

    /**
     * A row with its group; rows of one group are similar and stay together.
     *
     * @param group for example the rule that a sentence breaks
     */
    record GroupedRow(String group, Row row) {}

    /**
     * Takes a tenth of the rows, at most 2,000, as test rows, as many as validation rows, and the others as training rows. A repeated input
     * is kept once, and one with different labels is dropped.
     */
    static Splits split(String name, List<GroupedRow> rows) {
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
     * Takes about a share of the groups as test rows, as many as validation rows, and the others as training rows. The hash of a group
     * decides, so that data sets with the same groups are divided the same way.
     */
    static Splits splitByGroup(String name, List<GroupedRow> rows, double share) {
        List<Row> test = new ArrayList<>();
        List<Row> validation = new ArrayList<>();
        List<Row> train = new ArrayList<>();
        for (GroupedRow row : unambiguous(rows)) {
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

    private static List<GroupedRow> unambiguous(List<GroupedRow> rows) {
        Map<Long, GroupedRow> first = new LinkedHashMap<>();
        Set<Long> ambiguous = new HashSet<>();
        for (GroupedRow row : rows) {
            GroupedRow before = first.putIfAbsent(row.row.hash(), row);
            if (before != null && !Objects.equals(before.row.label(), row.row.label())) {
                ambiguous.add(row.row.hash());
            }
        }
        ambiguous.forEach(first::remove);
        return List.copyOf(first.values());
    }

    private static List<List<Row>> groups(List<GroupedRow> rows) {
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
