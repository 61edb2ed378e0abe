package dev.graft.train.data.internal;

import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The questions of SQuAD's own files, which hold articles of paragraphs with their questions, as JSON lines. */
final class SquadRows {
    private static final Pattern BEGINNING =
            Pattern.compile("\\s*\\{(\\s*\"version\"\\s*:\\s*\"[^\"]*\"\\s*,)?\\s*\"data\"\\s*:\\s*\\[");

    private SquadRows() {}

    static boolean isIn(byte[] head) {
        return BEGINNING.matcher(new String(head, StandardCharsets.UTF_8)).lookingAt();
    }

    static void write(Path file, OutputStream out) throws IOException {
        int article = 0;
        for (JsonNode entry : list(Json.read(file), "data", file.toString())) {
            String place = file + ": data[" + article++ + "]";
            if (entry.isObject() && !entry.has("paragraphs")) {
                throw new FormatException(
                        place,
                        "has the keys " + entry.propertyNames()
                                + ", but a list under \"data\" is read as SQuAD's articles, which have \"paragraphs\";"
                                + " write rows as a list of their own, [{...}, {...}], or one a line",
                        null);
            }
            int number = 0;
            for (JsonNode paragraph : list(entry, "paragraphs", place)) {
                paragraph(paragraph, place + ".paragraphs[" + number++ + "]", out);
            }
        }
    }

    private static void paragraph(JsonNode paragraph, String place, OutputStream out) throws IOException {
        int number = 0;
        for (JsonNode question : list(paragraph, "qas", place)) {
            String at = place + ".qas[" + number++ + "]";
            ObjectNode row = JsonNodeFactory.instance.objectNode();
            row.set("question", question.path("question"));
            row.set("context", paragraph.path("context"));
            if (question.path("is_impossible").asBoolean(false)) {
                row.putArray("answers");
            } else if (question.has("answers")) {
                ArrayNode answers = row.putArray("answers");
                list(question, "answers", at).forEach(answers::add);
            }
            out.write(Json.compact(row).getBytes(StandardCharsets.UTF_8));
            out.write('\n');
        }
    }

    private static Iterable<JsonNode> list(JsonNode parent, String name, String place) {
        if (!parent.path(name).isArray()) {
            throw new FormatException(
                    place,
                    "\"" + name + "\" is " + JsonFields.shortened(parent.path(name)) + ", expected a list",
                    null);
        }
        return parent.path(name).values();
    }
}
