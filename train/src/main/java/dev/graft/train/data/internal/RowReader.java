package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.chat.Message;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Records to rows of one shape. Every row must have that shape; what is wrong is said with the row's place. */
public final class RowReader {
    private static final Set<String> ROLES = Set.of("system", "user", "assistant", "tool");

    private final Records records;
    private final RowShape shape;
    private final Map<String, String> columns;
    private final Map<String, String> parts = new LinkedHashMap<>();
    private final Set<String> ignored = new LinkedHashSet<>();
    private final @Nullable LabelReader labels;

    /**
     * Finds out the shape.
     *
     * @param first the first rows, at least one
     * @param source what they come from
     */
    public RowReader(List<ObjectNode> first, DataOptions options, Records source) {
        String place = source.place(0);
        boolean textOnly = source.isTextOnly();
        records = source;
        columns = options.columns();
        List<ObjectNode> rows = first.stream().map(row -> renamed(row, place)).toList();
        shape = ShapeSniffer.shape(rows, options, place);
        Collection<String> keys = new LinkedHashSet<>();
        rows.forEach(row -> keys.addAll(row.propertyNames()));
        for (String part : shape.keys()) {
            parts.put(part, part(keys, part));
        }
        if (shape == RowShape.CLASSIFICATION || shape == RowShape.TEXT) {
            String pair = ShapeSniffer.find(keys, "text_pair");
            if (pair != null) {
                parts.put("text_pair", pair);
            }
        }
        labels = shape.keys().contains("label")
                ? new LabelReader(
                        options.labels() != null ? options.labels() : ShapeSniffer.labels(rows, key("label"), textOnly),
                        textOnly)
                : null;
        keys.stream().filter(key -> !parts.containsValue(key) && !isMask(key)).forEach(ignored::add);
    }

    private static String part(Collection<String> keys, String part) {
        String key = ShapeSniffer.find(keys, part);
        return key == null ? part : key;
    }

    public RowShape shape() {
        return shape;
    }

    public Label.@Nullable Kind labelKind() {
        return labels == null ? null : labels.kind();
    }

    /** The keys that are used, as the file names them. */
    public List<String> fields() {
        return parts.values().stream()
                .map(key -> columns.getOrDefault(key, key))
                .toList();
    }

    /** Keys of the first rows that play no part. */
    public Set<String> ignored() {
        return ignored;
    }

    private ObjectNode renamed(ObjectNode record, String place) {
        if (columns.isEmpty()) {
            return record;
        }
        ObjectNode row = record.deepCopy();
        columns.values().forEach(row::remove);
        columns.forEach((part, key) -> {
            JsonNode value = record.get(key);
            if (value == null) {
                throw new InputException(place + ": columns maps " + part + " to " + key + ", but the keys are "
                        + record.propertyNames());
            }
            row.set(part, value);
        });
        return row;
    }

    /** The row in a record. */
    public Row read(ObjectNode record, String place) {
        ObjectNode row = renamed(record, place);
        for (String part : shape.keys()) {
            if (!row.has(key(part))) {
                throw new InputException(
                        place + ": the key \"" + key(part) + "\" is missing, found " + row.propertyNames()
                                + "; the rows of this file are " + shape.title() + ", such as " + shape.sample());
            }
        }
        return switch (shape) {
            case CLASSIFICATION, TEXT -> text(row, place);
            case CHAT -> new Row.Chat(messages(row.get(key("messages")), place));
            case PROMPT_COMPLETION ->
                new Row.Completion(string(row, "prompt", place, true), string(row, "completion", place, false));
            case TOKENS -> tokens(row, place);
            case LABELLED_IMAGE, IMAGE ->
                new Row.Image(
                        records.picture(string(row, "image", place, false), place),
                        labels == null ? null : label(row, place));
            case LABELLED_TOKENS -> new Row.LabelledTokens(ids(row, place), label(row, place));
        };
    }

    private String key(String part) {
        return parts.getOrDefault(part, part);
    }

    private Row text(ObjectNode row, String place) {
        String text = string(row, "text", place, false);
        String pair = parts.containsKey("text_pair") ? string(row, "text_pair", place, false) : null;
        return new Row.Text(text, pair, labels == null ? null : label(row, place));
    }

    private Label label(ObjectNode row, String place) {
        if (labels == null) {
            throw new IllegalStateException(shape + " has no labels");
        }
        return labels.read(row.path(key("label")), place);
    }

    private String string(ObjectNode row, String part, String place, boolean mayBeEmpty) {
        return string(row.path(key(part)), key(part), place, mayBeEmpty);
    }

    private static String string(JsonNode value, String key, String place, boolean mayBeEmpty) {
        if (!value.isString()) {
            throw new InputException(place + ": \"" + key + "\" is "
                    + (value.isMissingNode() ? "missing" : shortened(Json.compact(value))) + ", expected a string");
        }
        String text = value.stringValue();
        if (!mayBeEmpty && text.isBlank()) {
            throw new InputException(place + ": \"" + key + "\" is empty; remove the row or fill it");
        }
        return text;
    }

    private static List<Message> messages(JsonNode value, String place) {
        if (!value.isArray() || value.isEmpty()) {
            throw new InputException(place + ": \"messages\" is " + shortened(Json.compact(value))
                    + ", expected a list such as " + RowShape.CHAT.sample());
        }
        List<Message> messages = new ArrayList<>();
        boolean assistant = false;
        for (JsonNode element : value.values()) {
            String where = place + ": message " + (messages.size() + 1);
            if (!element.isObject()) {
                throw new InputException(where + " is " + shortened(Json.compact(element)) + ", expected an object");
            }
            for (String key : element.propertyNames()) {
                if (!key.equals("role") && !key.equals("content")) {
                    throw new InputException(where + " has the key \"" + key
                            + "\", which is not read: a message is a role and a content, remove the rest"
                            + (key.equals("from") || key.equals("value")
                                    ? " and rename from/value to role/content"
                                    : ""));
                }
            }
            String role = string(element.path("role"), "role", where, false);
            if (!ROLES.contains(role)) {
                throw new InputException(
                        where + " has the role \"" + role + "\", expected system, user, assistant or tool");
            }
            boolean answer = role.equals("assistant");
            assistant |= answer;
            messages.add(new Message(role, string(element.path("content"), "content", where, !answer)));
        }
        if (!assistant) {
            throw new InputException(place + ": no message is the assistant's, so there is nothing to learn");
        }
        return messages;
    }

    private Row tokens(ObjectNode row, String place) {
        int[] ids = ids(row, place);
        int[] targets = integers(row.get(key("labels")), "labels", -100, place);
        if (targets.length != ids.length) {
            throw new InputException(
                    place + ": input_ids has " + ids.length + " entries, labels has " + targets.length);
        }
        for (int target : targets) {
            if (target < 0 && target != -100) {
                throw new InputException(
                        place + ": labels has " + target + ", expected token ids, or -100 for no label");
            }
        }
        return new Row.Tokens(ids, targets);
    }

    private int[] ids(ObjectNode row, String place) {
        int[] ids = integers(row.get(key("input_ids")), "input_ids", 0, place);
        if (ids.length == 0) {
            throw new InputException(place + ": input_ids is empty; remove the row");
        }
        JsonNode mask = row.path("attention_mask");
        if (!mask.isMissingNode()) {
            for (int kept : integers(mask, "attention_mask", 0, place)) {
                if (kept != 1) {
                    throw new InputException(place + ": attention_mask hides tokens; write the rows without padding");
                }
            }
        }
        return ids;
    }

    private boolean isMask(String key) {
        return key.equals("attention_mask") && (shape == RowShape.TOKENS || shape == RowShape.LABELLED_TOKENS);
    }

    private static int[] integers(JsonNode value, String key, int least, String place) {
        if (!value.isArray()) {
            throw new InputException(place + ": \"" + key + "\" is " + shortened(Json.compact(value))
                    + ", expected a list of whole numbers");
        }
        int[] integers = new int[value.size()];
        for (int i = 0; i < integers.length; i++) {
            JsonNode element = value.get(i);
            if (!element.isInt() || element.intValue() < least) {
                throw new InputException(place + ": " + key + "[" + i + "] is " + shortened(Json.compact(element))
                        + ", expected a whole number of at least " + least);
            }
            integers[i] = element.intValue();
        }
        return integers;
    }

    private static String shortened(String text) {
        return text.length() > 80 ? text.substring(0, 77) + "..." : text;
    }
}
