package dev.graft.cli.terminal;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A text table: columns are two spaces apart, and columns of numbers are aligned to the right.
 *
 * <pre>{@code
 * Table table = new Table("method", "accuracy");
 * table.row("lora", "0.765");
 * out.print(table);
 * }</pre>
 */
public final class Table {
    private static final Pattern NUMBER = Pattern.compile("[-+]?[0-9][0-9.,eE+-]*( ?(%|[a-zA-Z]{1,3}))?|-|");
    private static final String GAP = "  ";

    private final List<String> header;
    private final List<List<String>> rows = new ArrayList<>();

    public Table(String... header) {
        this.header = List.of(header);
    }

    /** Adds a row; line breaks in cells become spaces. */
    public Table row(Object... cells) {
        if (cells.length != header.size()) {
            throw new IllegalArgumentException(cells.length + " cells for " + header.size() + " columns");
        }
        rows.add(List.of(cells).stream()
                .map(cell -> String.valueOf(cell).replaceAll("\\s*\\R\\s*", " "))
                .toList());
        return this;
    }

    /** Returns the table, each line with a line end; without a header if all of its names are empty. */
    @Override
    public String toString() {
        List<List<String>> lines = new ArrayList<>();
        if (header.stream().anyMatch(name -> !name.isEmpty())) {
            lines.add(header);
        }
        lines.addAll(rows);
        int[] widths = new int[header.size()];
        boolean[] right = new boolean[header.size()];
        for (int column = 0; column < widths.length; column++) {
            int c = column;
            widths[c] = lines.stream()
                    .mapToInt(line -> TextWidth.of(line.get(c)))
                    .max()
                    .orElse(0);
            List<String> filled = rows.stream()
                    .map(row -> row.get(c))
                    .filter(cell -> !cell.isEmpty())
                    .toList();
            right[c] = !filled.isEmpty()
                    && filled.stream().allMatch(cell -> NUMBER.matcher(cell).matches());
        }
        StringBuilder text = new StringBuilder();
        for (List<String> line : lines) {
            StringBuilder padded = new StringBuilder();
            for (int c = 0; c < widths.length; c++) {
                String space = " ".repeat(widths[c] - TextWidth.of(line.get(c)));
                padded.append(c == 0 ? "" : GAP).append(right[c] ? space + line.get(c) : line.get(c) + space);
            }
            text.append(padded.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }
}
