package dev.graft.train.data.sets;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * A file of Debian's control format: paragraphs of fields, separated by blank lines; a line that begins with a space continues a field.
 */
final class DebianControlFile {
    private DebianControlFile() {}

    /** Hands out the paragraphs; a field of several lines has them with line ends between. Lines that are no field are passed over. */
    static void read(Path file, Consumer<Map<String, String>> paragraph) throws IOException {
        try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            Map<String, String> fields = new LinkedHashMap<>();
            String name = "";
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int colon = line.indexOf(':');
                if (line.isBlank()) {
                    if (!fields.isEmpty()) {
                        paragraph.accept(fields);
                    }
                    fields = new LinkedHashMap<>();
                    name = "";
                } else if (line.charAt(0) == ' ' || line.charAt(0) == '\t') {
                    if (!name.isEmpty()) {
                        fields.merge(name, "\n" + line.substring(1), String::concat);
                    }
                } else if (colon > 0) {
                    name = line.substring(0, colon);
                    fields.put(name, line.substring(colon + 1).strip());
                }
            }
            if (!fields.isEmpty()) {
                paragraph.accept(fields);
            }
        }
    }
}
