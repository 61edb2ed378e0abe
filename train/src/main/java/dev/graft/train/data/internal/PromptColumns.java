package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.train.data.RowShape;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Finds the keys that hold the prompt in rows with answers, and checks that no prompt key is ignored. */
final class PromptColumns {
    /** Keys of texts that a model should have seen before it answers. */
    private static final Set<String> BEFORE = Set.of("system", "system_prompt", "history");

    private static final Set<String> ASKING = Set.of("prompt", "question", "query", "instruction", "input", "context");
    private static final Set<String> CONVERSATIONS = Set.of("messages", "conversations", "conversation");
    private static final Set<String> JUDGING = Set.of("label", "labels", "kto_tag");

    private PromptColumns() {}

    /** The parts that rows must have: judged answers may also be whole conversations, or instructions with their outputs. */
    static List<String> required(RowShape shape, Iterable<String> keys) {
        if (shape != RowShape.JUDGED || ColumnNames.find(keys, "completion") != null) {
            return shape.keys();
        }
        if (ColumnNames.find(keys, "messages") != null) {
            return List.of("messages", "label");
        }
        return ColumnNames.find(keys, "instruction") != null && ColumnNames.find(keys, "output") != null
                ? List.of("instruction", "output", "label")
                : shape.keys();
    }

    /** The keys for the parts that rows must or may have. */
    static ColumnRoles of(RowShape shape, Collection<String> keys) {
        Map<String, String> parts = new LinkedHashMap<>();
        List<String> required = required(shape, keys);
        for (String part : required) {
            String key = ColumnNames.find(keys, part);
            parts.put(part, key == null ? part : key);
        }
        for (String part : shape.optional()) {
            String key = ColumnNames.find(keys, part);
            if (key != null) {
                parts.putIfAbsent(part, key);
            }
        }
        if (shape == RowShape.PREFERENCE) {
            String asking = asking(parts);
            parts.keySet().removeIf(part -> ASKING.contains(part) && !part.equals(asking) && !part.equals("input"));
        } else if (shape == RowShape.JUDGED) {
            parts.keySet()
                    .removeIf(part -> !required.contains(part)
                            && !Set.of("input", "system", "tools").contains(part));
        }
        if ((shape == RowShape.PREFERENCE || shape == RowShape.JUDGED) && !parts.containsKey("instruction")) {
            parts.remove("input");
        }
        return new ColumnRoles(parts);
    }

    /** An input is the prompt only where nothing is asked of it. */
    private static String asking(Map<String, String> parts) {
        if ("prompt".equals(parts.get("prompt"))) {
            return "prompt";
        }
        return parts.containsKey("instruction") ? "instruction" : parts.containsKey("question") ? "question" : "prompt";
    }

    /**
     * Rejects a row with a key that would be ignored although it is part of the prompt or judges the answer.
     *
     * @param taskField the key that names the row's task; null for none
     * @throws InputException naming the key
     */
    static void requireAll(
            RowShape shape, ColumnRoles roles, @Nullable String taskField, ObjectNode row, String place) {
        boolean answers =
                shape == RowShape.CHAT || shape == RowShape.INSTRUCTION || shape == RowShape.PROMPT_COMPLETION;
        boolean judges = shape == RowShape.PREFERENCE || shape == RowShape.JUDGED;
        if (!answers && !judges) {
            return;
        }
        Set<String> asking = new HashSet<>(BEFORE);
        if (judges && !roles.has("messages")) {
            asking.addAll(ASKING);
        }
        boolean whole = hasMessages(roles, row);
        if (whole || shape == RowShape.INSTRUCTION) {
            asking.remove("system");
        }
        if (judges && !whole) {
            asking.addAll(CONVERSATIONS);
        }
        for (String key : row.propertyNames()) {
            if (roles.keys().containsValue(key) || key.equals(taskField) || isEmpty(row.path(key))) {
                continue;
            }
            String value = "\"" + key + "\" is " + JsonFields.shortened(row.path(key));
            if (answers && JUDGING.contains(key)) {
                throw new InputException(place + ": " + value + ", but the rows are read as " + shape.title()
                        + ", which nothing judges; to learn from good and bad answers give every row true or false (or"
                        + " 1 or 0), such as " + RowShape.JUDGED.sample() + ", else remove the key");
            }
            if (asking.contains(key)) {
                throw new InputException(place + ": " + value + ", but of these rows "
                        + roles.keys().values()
                        + " are read, so the model would not see it; map it with data.columns, write the row as a"
                        + " conversation, or remove the key. A key that only later rows have is read if the first one"
                        + " has it too, if need be empty");
            }
        }
    }

    private static boolean hasMessages(ColumnRoles roles, ObjectNode row) {
        return roles.has("messages")
                || Stream.of("chosen", "completion", "output")
                        .anyMatch(part -> roles.value(row, part).isArray());
    }

    private static boolean isEmpty(JsonNode value) {
        return value.isNull()
                || (value.isString() ? value.stringValue().isBlank() : value.isContainer() && value.isEmpty());
    }
}
