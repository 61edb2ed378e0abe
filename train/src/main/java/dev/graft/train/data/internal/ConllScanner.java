package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The column format of CoNLL's shared tasks. Each line has a word first and its tag last, with fields separated by a tab or spaces; a blank
 * line ends a sentence. Lines that begin with {@code -DOCSTART-} separate documents and are skipped.
 */
final class ConllScanner implements RecordScanner {
    private static final String DOCUMENT = "-DOCSTART-";
    private static final Pattern TAG = Pattern.compile("O|[BIESLU]-\\S+");

    private final ByteReader in;

    ConllScanner(ByteReader in) {
        this.in = in;
    }

    /** Returns whether lines have a word and a tag of entities each. */
    static boolean isIn(String text) {
        List<String> lines =
                text.lines().filter(line -> !line.isBlank() && !isBorder(line)).toList();
        return lines.size() > 1
                && lines.stream()
                        .map(ConllScanner::fields)
                        .allMatch(fields -> fields.size() > 1
                                && TAG.matcher(fields.get(fields.size() - 1)).matches());
    }

    private static boolean isBorder(String line) {
        return line.startsWith(DOCUMENT);
    }

    private static List<String> fields(String line) {
        return Arrays.asList(
                line.indexOf('\t') >= 0
                        ? line.strip().split("\t+")
                        : line.strip().split(" +"));
    }

    @Override
    public @Nullable RawRecord next() throws IOException {
        while (in.skipSpace() >= 0) {
            in.startRecord();
            long offset = in.position();
            boolean words = sentence();
            if (words) {
                return new RawRecord(offset, in.recordLine(), in.record());
            }
        }
        return null;
    }

    /** Keeps the lines up to a blank one; false if they only part documents. */
    private boolean sentence() throws IOException {
        boolean words = false;
        StringBuilder line = new StringBuilder();
        for (int value = in.peek(); value >= 0; value = in.peek()) {
            in.keep(in.read());
            if (value != '\n' && (value != '\r' || in.peek() == '\n')) {
                line.append((char) value);
                continue;
            }
            if (line.toString().isBlank()) {
                return words;
            }
            words |= !isBorder(line.toString());
            line.setLength(0);
        }
        return words || !line.toString().isBlank() && !isBorder(line.toString());
    }

    /**
     * A sentence as a row of words with tags; what stands between is {@code column 2} and so on.
     *
     * @param at the number of its first line
     */
    static ObjectNode row(String sentence, String file, int at) {
        ObjectNode row = JsonNodeFactory.instance.objectNode();
        List<ArrayNode> columns = new ArrayList<>();
        int number = at;
        for (String line : sentence.lines().toList()) {
            String place = file + ":" + number++;
            if (line.isBlank() || isBorder(line)) {
                continue;
            }
            List<String> fields = fields(line);
            if (fields.size() < 2 || !columns.isEmpty() && fields.size() != columns.size()) {
                throw new FormatException(
                        place,
                        "has " + fields.size() + (fields.size() == 1 ? " column" : " columns") + ", expected "
                                + (columns.isEmpty()
                                        ? "a word and its tag"
                                        : columns.size() + " as the line before has"),
                        null);
            }
            for (int i = 0; columns.size() < fields.size(); i++) {
                columns.add(row.putArray(i == 0 ? "tokens" : i == fields.size() - 1 ? "tags" : "column " + (i + 1)));
            }
            for (int i = 0; i < fields.size(); i++) {
                columns.get(i).add(fields.get(i));
            }
        }
        return row;
    }
}
