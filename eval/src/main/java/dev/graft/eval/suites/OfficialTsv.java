package dev.graft.eval.suites;

import dev.graft.formats.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** GLUE's tables: fields between tabs, in which quotes mean nothing, under a line of names. */
final class OfficialTsv {
    private OfficialTsv() {}

    /**
     * A line.
     *
     * @param place file and number
     */
    record Line(String place, Map<String, String> fields) {
        /** @throws FormatException if the line has no such field */
        String get(String name) {
            String value = fields.get(name);
            if (value == null) {
                throw new FormatException(place, "has no field " + name + ", but " + fields.keySet(), null);
            }
            return value;
        }

        /** @throws FormatException if the field is none of the values */
        String oneOf(String name, List<String> values) {
            String value = get(name);
            if (!values.contains(value)) {
                throw new FormatException(place, name + " is \"" + value + "\", expected one of " + values, null);
            }
            return value;
        }

        double number(String name) {
            try {
                return Double.parseDouble(get(name));
            } catch (NumberFormatException e) {
                throw new FormatException(place, name + " is \"" + get(name) + "\", expected a number", e);
            }
        }
    }

    /** A table under a line of names. */
    static List<Line> read(Path file) {
        List<String> lines = OfficialLines.read(file);
        if (lines.isEmpty()) {
            throw new FormatException(file, "is empty");
        }
        return read(file, Arrays.asList(lines.get(0).split("\t", -1)), lines, 1);
    }

    /** A table without names. */
    static List<Line> read(Path file, List<String> names) {
        return read(file, names, OfficialLines.read(file), 0);
    }

    private static List<Line> read(Path file, List<String> names, List<String> lines, int from) {
        List<Line> table = new ArrayList<>();
        for (int i = from; i < lines.size(); i++) {
            if (lines.get(i).isEmpty()) {
                continue;
            }
            String[] fields = lines.get(i).split("\t", -1);
            String place = file + ":" + (i + 1);
            if (fields.length != names.size()) {
                throw new FormatException(
                        place, "has " + fields.length + " fields, expected " + names.size() + ": " + names, null);
            }
            Map<String, String> line = new TreeMap<>();
            for (int field = 0; field < fields.length; field++) {
                line.put(names.get(field), fields[field]);
            }
            table.add(new Line(place, line));
        }
        if (table.isEmpty()) {
            throw new FormatException(file, "has no rows");
        }
        return table;
    }
}
