package dev.graft.eval.suites;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Lines of official files, in strict UTF-8. */
public final class OfficialLines {
    /** The ends of lines. Other separators of Unicode are text. */
    private static final String END = "\r\n|\r|\n";

    private OfficialLines() {}

    /** Reads a JSON line. */
    public interface JsonLine {
        /**
         * Reads one.
         *
         * @param place file and number, for messages
         * @param number of the line, from 1
         */
        void read(JsonNode line, String place, int number);
    }

    /** The lines of a file, without a byte order mark. */
    static List<String> read(Path file) {
        String text = text(file);
        List<String> lines = new ArrayList<>(List.of(text.split(END, -1)));
        if (lines.get(lines.size() - 1).isEmpty()) {
            lines.remove(lines.size() - 1);
        }
        return lines;
    }

    /** A whole file, without a byte order mark. */
    static String text(Path file) {
        try {
            String text = Files.readString(file, StandardCharsets.UTF_8);
            return text.startsWith("\ufeff") ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            throw new FormatException(file.toString(), "is not UTF-8", e);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
    }

    /**
     * Reads a JSON value a line; blank lines are passed over.
     *
     * @throws FormatException if there is none
     */
    public static void json(Path file, JsonLine each) {
        int number = 0;
        int objects = 0;
        for (String line : read(file)) {
            number++;
            if (!line.isBlank()) {
                String place = file + ":" + number;
                each.read(Json.parse(place, line), place, number);
                objects++;
            }
        }
        if (objects == 0) {
            throw new FormatException(file, "has no rows");
        }
    }

    /** @throws FormatException if a value is none of those expected */
    static String oneOf(String value, Set<String> expected, String what, String place) {
        if (!expected.contains(value)) {
            throw new FormatException(place, what + " is \"" + value + "\", expected one of " + expected, null);
        }
        return value;
    }
}
