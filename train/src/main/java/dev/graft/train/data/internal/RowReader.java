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
    private final Records records;
    private final RowShape shape;
    private final Map<String, String> columns;
    private final Map<String, String> parts = new LinkedHashMap<>();
    private final Set<String> ignored = new LinkedHashSet<>();
    private final @Nullable LabelReader labels;
    private final @Nullable String taskField;
    private volatile boolean open;

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
        for (String part : shape.optional()) {
            String key = ShapeSniffer.find(keys, part);
            if (key != null) {
                parts.put(part, key);
            }
        }
        labels = labels(rows, options, textOnly);
        taskField = options.taskField();
        keys.stream()
                .filter(key -> !parts.containsValue(key) && !isMask(key) && !key.equals(taskField))
                .filter(key -> !ChoiceReader.isColumn(key, parts.getOrDefault("choices", "")))
                .forEach(ignored::add);
    }

    private @Nullable LabelReader labels(List<ObjectNode> rows, DataOptions options, boolean textOnly) {
        if (shape == RowShape.WORDS) {
            return new LabelReader(Label.Kind.EACH, textOnly);
        }
        if (shape == RowShape.JUDGED
                || shape == RowShape.CHOICE
                || !shape.keys().contains("label")) {
            return null;
        }
        return new LabelReader(
                options.labels() != null ? options.labels() : ShapeSniffer.labels(rows, key("label"), textOnly),
                textOnly);
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

    /** Whether some question read so far has no answer in its text. */
    public boolean leavesOpen() {
        return open;
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
            case CHAT -> chat(row, place);
            case INSTRUCTION ->
                new Row.Instruction(
                        optional(row, "system", place),
                        string(row, "instruction", place, false),
                        optional(row, "input", place),
                        string(row, "output", place, false));
            case PROMPT_COMPLETION -> answer(row, "completion", place);
            case PREFERENCE -> preference(row, place);
            case JUDGED -> new Row.Judged(answer(row, "completion", place), isGood(row, place));
            case WORDS, UNTAGGED -> words(row, place);
            case QUESTION -> question(row, answers(row, place), place);
            case UNANSWERED -> question(row, null, place);
            case CHOICE, UNSOLVED -> choice(row, place);
            case TOKENS -> tokens(row, place);
            case IMAGE_TEXT ->
                new Row.Captioned(
                        records.picture(string(row, "image", place, false), place), string(row, "text", place, false));
            case IMAGE_MASK ->
                new Row.Masked(
                        records.picture(string(row, "image", place, false), place),
                        records.picture(string(row, "mask", place, false), place));
            case LABELLED_IMAGE, IMAGE ->
                new Row.Image(
                        records.picture(string(row, "image", place, false), place),
                        labels == null ? null : label(row, place));
            case SPEECH ->
                new Row.Speech(
                        records.sound(string(row, "audio", place, false), place), string(row, "text", place, false));
            case LABELLED_TOKENS -> new Row.LabelledTokens(ids(row, place), label(row, place));
        };
    }

    /** The task that a record names; null where rows are of one task. */
    public @Nullable String task(ObjectNode record, String place) {
        if (taskField == null) {
            return null;
        }
        JsonNode value = record.path(taskField);
        if (value.isInt()) {
            return value.toString();
        }
        if (!value.isString() || value.stringValue().isBlank()) {
            throw new InputException(place + ": \"" + taskField + "\" is "
                    + (value.isMissingNode() ? "missing" : shortened(value)) + ", expected the name of the row's task");
        }
        return value.stringValue();
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
        return labels.read(row.path(key(shape == RowShape.WORDS ? "tags" : "label")), place);
    }

    private String string(ObjectNode row, String part, String place, boolean mayBeEmpty) {
        return string(row.path(key(part)), key(part), place, mayBeEmpty);
    }

    static String string(JsonNode value, String key, String place, boolean mayBeEmpty) {
        if (!value.isString()) {
            throw new InputException(place + ": \"" + key + "\" is " + shortened(value) + ", expected a string");
        }
        String text = value.stringValue();
        if (!mayBeEmpty && text.isBlank()) {
            throw new InputException(place + ": \"" + key + "\" is empty; remove the row or fill it");
        }
        return text;
    }

    /** A text that may be missing, null or empty. */
    private String optional(ObjectNode row, String part, String place) {
        JsonNode value = row.path(key(part));
        return value.isMissingNode() || value.isNull() ? "" : string(value, key(part), place, true);
    }

    private Row.Chat chat(ObjectNode row, String place) {
        List<Message> messages = new ArrayList<>();
        String system = optional(row, "system", place);
        messages.addAll(messages(row, "messages", place));
        if (!system.isBlank()) {
            if (messages.get(0).role().equals("system")) {
                throw new InputException(
                        place + ": there is a \"system\" beside the messages, and the first message is one too");
            }
            messages.add(0, Message.system(system));
        }
        return conversation(messages, row, place);
    }

    private List<Message> messages(ObjectNode row, String part, String place) {
        return MessageReader.messages(row.path(key(part)), key(part), place);
    }

    private Row.Chat conversation(List<Message> messages, ObjectNode row, String place) {
        if (messages.stream().noneMatch(message -> message.role().equals("assistant"))) {
            throw new InputException(place + ": no message is the assistant's, so there is nothing to learn");
        }
        return new Row.Chat(messages, MessageReader.tools(row.get(key("tools")), place));
    }

    /** A prompt with its answer: two texts, or two lists of messages. */
    private Row answer(ObjectNode row, String answer, String place) {
        if (row.path(key(answer)).isArray()) {
            List<Message> messages = new ArrayList<>();
            if (row.path(key("prompt")).isArray() && !row.path(key("prompt")).isEmpty()) {
                messages.addAll(messages(row, "prompt", place));
            }
            messages.addAll(messages(row, answer, place));
            if (!messages.get(messages.size() - 1).role().equals("assistant")) {
                throw new InputException(
                        place + ": the last message of \"" + key(answer) + "\" is not the assistant's");
            }
            return conversation(messages, row, place);
        }
        return new Row.Completion(string(row, "prompt", place, true), string(row, answer, place, false));
    }

    private Row preference(ObjectNode row, String place) {
        JsonNode chosen = row.path(key("chosen"));
        JsonNode rejected = row.path(key("rejected"));
        if (chosen.equals(rejected)) {
            throw new InputException(place + ": \"" + key("chosen") + "\" and \"" + key("rejected")
                    + "\" are equal, so the row prefers nothing; remove it");
        }
        if (chosen.isArray() != rejected.isArray()) {
            throw new InputException(place + ": one of \"" + key("chosen") + "\" and \"" + key("rejected")
                    + "\" is a list of messages, the other is not");
        }
        boolean implicit = !parts.containsKey("prompt");
        // Some sets repeat the prompt's text beside whole conversations.
        boolean whole = chosen.isArray() && row.path(key("prompt")).isString();
        if (whole) {
            return new Row.Preference(
                    conversation(messages(row, "chosen", place), row, place),
                    conversation(messages(row, "rejected", place), row, place));
        }
        if (!implicit || chosen.isArray()) {
            return new Row.Preference(answer(row, "chosen", place), answer(row, "rejected", place));
        }
        String a = string(row, "chosen", place, false);
        String b = string(row, "rejected", place, false);
        int split = commonPrefix(a, b);
        if (split == a.length() || split == b.length()) {
            throw new InputException(place + ": one answer continues the other, so the prompt can't be told from"
                    + " them; give it as \"prompt\"");
        }
        return new Row.Preference(
                new Row.Completion(a.substring(0, split), a.substring(split)),
                new Row.Completion(b.substring(0, split), b.substring(split)));
    }

    /** Where two texts part; a space before that point goes with the answers. */
    private static int commonPrefix(String a, String b) {
        int n = 0;
        while (n < a.length() && n < b.length() && a.charAt(n) == b.charAt(n)) {
            n++;
        }
        if (n > 0 && (a.charAt(n - 1) == ' ' || Character.isHighSurrogate(a.charAt(n - 1)))) {
            n--;
        }
        return n;
    }

    private boolean isGood(ObjectNode row, String place) {
        JsonNode label = row.path(key("label"));
        if (label.isBoolean()) {
            return label.booleanValue();
        }
        String text = label.asString("");
        if (text.equalsIgnoreCase("true") || text.equalsIgnoreCase("false")) {
            return Boolean.parseBoolean(text);
        }
        throw new InputException(place + ": \"" + key("label") + "\" is " + shortened(label)
                + ", expected true for a good answer or false for a bad one");
    }

    private Row words(ObjectNode row, String place) {
        List<String> words = strings(row.path(key("tokens")), key("tokens"), place);
        if (labels == null) {
            return new Row.Words(words, null);
        }
        Label.Each tags = (Label.Each) label(row, place);
        if (words.size() != tags.names().size()) {
            throw new InputException(place + ": \"" + key("tokens") + "\" has " + words.size() + " words, \""
                    + key("tags") + "\" has " + tags.names().size() + " tags; each word has one");
        }
        return new Row.Words(words, tags);
    }

    private static List<String> strings(JsonNode value, String key, String place) {
        if (!value.isArray() || value.isEmpty()) {
            throw new InputException(place + ": \"" + key + "\" is " + shortened(value) + ", expected a list of texts");
        }
        List<String> strings = new ArrayList<>();
        for (JsonNode element : value.values()) {
            strings.add(string(element, key + "[" + strings.size() + "]", place, false));
        }
        return strings;
    }

    /** What is asked comes behind the stem; what each choice goes on with, before it. */
    private Row choice(ObjectNode row, String place) {
        ChoiceReader choices = ChoiceReader.read(row, key("choices"), place);
        String stem = string(row, "stem", place, false);
        String question = key("question").equals(key("stem")) ? "" : optional(row, "question", place);
        String start = optional(row, "start", place);
        return new Row.Choice(
                question.isBlank() ? stem : stem + " " + question,
                start.isBlank()
                        ? choices.choices()
                        : choices.choices().stream()
                                .map(choice -> start + " " + choice)
                                .toList(),
                shape == RowShape.UNSOLVED ? null : choices.correct(row.path(key("correct")), key("correct"), place));
    }

    private Row question(ObjectNode row, @Nullable List<Row.Answer> answers, String place) {
        return new Row.Question(string(row, "question", place, false), string(row, "context", place, false), answers);
    }

    private List<Row.Answer> answers(ObjectNode row, String place) {
        String context = string(row, "context", place, false);
        JsonNode given = row.path(key("answers"));
        List<Row.Answer> answers = new ArrayList<>();
        if (given.isArray()) {
            given.values()
                    .forEach(answer ->
                            answers.add(answer(answer.path("text"), answer.path("answer_start"), context, place)));
        } else {
            JsonNode texts = given.path("text");
            JsonNode starts = given.path("answer_start");
            if (!texts.isArray() || !starts.isArray() || texts.size() != starts.size()) {
                throw new InputException(place + ": \"" + key("answers") + "\" is " + shortened(given)
                        + ", expected such as " + RowShape.QUESTION.sample());
            }
            for (int i = 0; i < texts.size(); i++) {
                answers.add(answer(texts.get(i), starts.get(i), context, place));
            }
        }
        open |= answers.isEmpty();
        return answers;
    }

    /** Places in data count code points, as Python does. */
    private static Row.Answer answer(JsonNode text, JsonNode start, String context, String place) {
        String answer = string(text, "text", place, false);
        int places = context.codePointCount(0, context.length());
        if (!start.isInt() || start.intValue() < 0 || start.intValue() > places) {
            throw new InputException(place + ": answer_start is " + shortened(start)
                    + ", expected a whole number from 0 to " + places + ", the length of the context");
        }
        int at = context.offsetByCodePoints(0, start.intValue());
        if (!context.startsWith(answer, at)) {
            throw new InputException(
                    place + ": the answer \"" + shortened(answer) + "\" doesn't stand at " + start.intValue()
                            + " of the context, where there is \"" + shortened(context.substring(at)) + "\"");
        }
        return new Row.Answer(answer, at);
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
            throw new InputException(
                    place + ": \"" + key + "\" is " + shortened(value) + ", expected a list of whole numbers");
        }
        int[] integers = new int[value.size()];
        for (int i = 0; i < integers.length; i++) {
            JsonNode element = value.get(i);
            if (!element.isInt() || element.intValue() < least) {
                throw new InputException(place + ": " + key + "[" + i + "] is " + shortened(element)
                        + ", expected a whole number of at least " + least);
            }
            integers[i] = element.intValue();
        }
        return integers;
    }

    static String shortened(JsonNode value) {
        return value.isMissingNode() ? "missing" : shortened(Json.compact(value));
    }

    private static String shortened(String text) {
        return text.length() > 80 ? text.substring(0, 77) + "..." : text;
    }
}
