package dev.graft.eval.claims;

import dev.graft.eval.report.Section;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A table of figures by row and column.
 *
 * @param corner the heading of the first column: the kind of the rows
 */
public record ScoreTable(String title, String corner, List<Cell> cells) {
    public ScoreTable {
        cells = List.copyOf(cells);
    }

    /** A figure. */
    public record Cell(String row, String column, double value) {}

    /** Returns the columns, in the order of first appearance. */
    public List<String> columns() {
        Set<String> names = new LinkedHashSet<>();
        cells.forEach(cell -> names.add(cell.column));
        return List.copyOf(names);
    }

    /** Returns the rows as texts, each with its name first; blank for a missing figure. */
    public List<List<String>> rows() {
        Set<String> names = new LinkedHashSet<>();
        cells.forEach(cell -> names.add(cell.row));
        List<List<String>> rows = new ArrayList<>();
        for (String name : names) {
            List<String> row = new ArrayList<>(List.of(name));
            for (String column : columns()) {
                row.add(cells.stream()
                        .filter(cell -> cell.row.equals(name) && cell.column.equals(column))
                        .map(cell -> String.format(Locale.ROOT, "%.4f", cell.value))
                        .findFirst()
                        .orElse(""));
            }
            rows.add(row);
        }
        return rows;
    }

    /** Returns the heading: the kind of the rows, then the columns. */
    public List<String> head() {
        List<String> head = new ArrayList<>(List.of(corner));
        head.addAll(columns());
        return head;
    }

    Section section() {
        return new Section.Table(title, head(), rows());
    }

    public ObjectNode toJson() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("title", title);
        ArrayNode list = json.putArray("cells");
        cells.forEach(cell ->
                list.addObject().put("row", cell.row).put("column", cell.column).put("value", cell.value));
        return json;
    }
}
