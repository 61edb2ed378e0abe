package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Converts records to rows of one shape. An error names the place of the row. */
public final class RowReader {
    private final RecordSource records;
    private final RowShape shape;
    private final Map<String, String> columns;
    private final ColumnRoles roles;
    private final AnswerReader answers;
    private final Set<String> ignored = new LinkedHashSet<>();
    private final @Nullable LabelReader labels;
    private final @Nullable String taskField;
    private final boolean isPromptOnly;
    private volatile boolean open;

    /**
     * Detects the shape.
     *
     * @param first the first rows, at least one
     * @param source the data set that they come from
     */
    public RowReader(List<ObjectNode> first, DataOptions options, RecordSource source) {
        String place = source.place(0);
        boolean textOnly = source.isTextOnly();
        records = source;
        columns = options.columns();
        isPromptOnly = options.isPromptOnly();
        List<ObjectNode> rows = first.stream().map(row -> renamed(row, place)).toList();
        shape = RowShapeDetector.shape(rows, options, place);
        Collection<String> keys = new LinkedHashSet<>();
        rows.forEach(row -> keys.addAll(row.propertyNames()));
        roles = PromptColumns.of(shape, keys);
        answers = new AnswerReader(roles, isPromptOnly);
        labels = labels(rows, options, textOnly);
        taskField = options.taskField();
        keys.stream()
                .filter(key -> !roles.keys().containsValue(key) && !isMask(key) && !key.equals(taskField))
                .filter(key -> !ChoiceReader.isColumn(key, roles.keys().getOrDefault("choices", "")))
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
                options.labels() != null
                        ? options.labels()
                        : RowShapeDetector.labels(rows, roles.key("label"), textOnly),
                textOnly);
    }

    public RowShape shape() {
        return shape;
    }

    public Label.@Nullable Kind labelKind() {
        return labels == null ? null : labels.kind();
    }

    /** Returns the keys that are used, as the file names them. */
    public List<String> fields() {
        return roles.keys().values().stream()
                .map(key -> columns.getOrDefault(key, key))
                .toList();
    }

    /** Returns whether some question read so far has no answer in its text. */
    public boolean hasUnanswerable() {
        return open;
    }

    /** Returns the keys of the first rows that aren't used. */
    public Set<String> ignored() {
        return ignored;
    }

    private ObjectNode renamed(ObjectNode record, String place) {
        if (columns.isEmpty()) {
            return isPromptOnly ? PromptOnlyRows.of(record) : record;
        }
        ObjectNode row = record.deepCopy();
        columns.values().forEach(row::remove);
        columns.forEach((part, key) -> {
            JsonNode value = record.get(key);
            if (value == null && isPromptOnly && PromptOnlyRows.mayLack(part)) {
                return;
            }
            if (value == null) {
                throw new InputException(place + ": columns maps " + part + " to " + key + ", but the keys are "
                        + record.propertyNames());
            }
            row.set(part, value);
        });
        return isPromptOnly ? PromptOnlyRows.of(row) : row;
    }

    /**
     * Converts a record to a row.
     *
     * @param place the file and line of the record, for messages
     * @throws dev.graft.formats.InputException if it lacks a key or has a wrong value
     */
    public Row read(ObjectNode record, String place) {
        ObjectNode row = renamed(record, place);
        for (String part : PromptColumns.required(shape, roles.keys().values())) {
            if (!row.has(roles.key(part))) {
                throw new InputException(
                        place + ": the key \"" + roles.key(part) + "\" is missing, found " + row.propertyNames()
                                + "; the rows of this file are " + shape.title() + ", such as " + shape.sample());
            }
        }
        PromptColumns.requireAll(shape, roles, taskField, row, place);
        return switch (shape) {
            case CLASSIFICATION, TEXT -> text(row, place);
            case CHAT -> answers.chat(row, place);
            case INSTRUCTION ->
                new Row.Instruction(
                        roles.optional(row, "system", place),
                        roles.string(row, "instruction", place, false),
                        roles.optional(row, "input", place),
                        roles.string(row, "output", place, isPromptOnly));
            case PROMPT_COMPLETION -> answers.completion(row, place);
            case PREFERENCE -> answers.preference(row, place);
            case JUDGED -> answers.judged(row, place);
            case WORDS, UNTAGGED -> words(row, place);
            case QUESTION -> question(row, answers(row, place), place);
            case UNANSWERED -> question(row, null, place);
            case CHOICE, UNSOLVED -> choice(row, place);
            case TOKENS -> tokens(row, place);
            case IMAGE_TEXT ->
                new Row.Captioned(
                        records.picture(roles.string(row, "image", place, false), place),
                        roles.string(row, "text", place, false));
            case IMAGE_MASK ->
                new Row.Masked(
                        records.picture(roles.string(row, "image", place, false), place),
                        records.picture(roles.string(row, "mask", place, false), place));
            case LABELLED_IMAGE, IMAGE ->
                new Row.Image(
                        records.picture(roles.string(row, "image", place, false), place),
                        labels == null ? null : label(row, place));
            case SPEECH ->
                new Row.Speech(
                        records.sound(roles.string(row, "audio", place, false), place),
                        roles.string(row, "text", place, false));
            case TEXT_PAIR -> textPair(row, place);
            case SCORED_PAIR ->
                new Row.ScoredPair(
                        roles.string(row, "text", place, false),
                        roles.string(row, "text_pair", place, false),
                        similarity(row, place));
            case LABELLED_TOKENS -> new Row.LabelledTokens(ids(row, place), label(row, place));
        };
    }

    /**
     * Returns the task that a record names; null if all rows are of one task.
     *
     * @throws dev.graft.formats.InputException if it names none
     */
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
                    + (value.isMissingNode() ? "missing" : JsonFields.shortened(value))
                    + ", expected the name of the row's task");
        }
        return value.stringValue();
    }

    private Row text(ObjectNode row, String place) {
        String text = roles.string(row, "text", place, false);
        String late = roles.has("text_pair") ? null : ColumnNames.find(row.propertyNames(), "text_pair");
        if (late != null && !row.path(late).isNull()) {
            throw new InputException(place + ": the row has a second text, \"" + late
                    + "\", but the first rows of the file have none; give every row one, or none");
        }
        String pair = roles.has("text_pair") ? roles.string(row, "text_pair", place, false) : null;
        return new Row.Text(text, pair, labels == null ? null : label(row, place));
    }

    private Row textPair(ObjectNode row, String place) {
        if (!roles.has("negative") && !row.path("negative").isMissingNode()) {
            throw new InputException(place + ": the row has a \"negative\", but the first rows of the file have none;"
                    + " give every row one, or none");
        }
        return new Row.TextPair(
                roles.string(row, "anchor", place, false),
                roles.string(row, "positive", place, false),
                roles.has("negative") ? roles.string(row, "negative", place, false) : null);
    }

    private double similarity(ObjectNode row, String place) {
        JsonNode value = row.path(roles.key("score"));
        String text = value.isNumber()
                ? value.asString()
                : value.isString() ? value.stringValue().strip() : "";
        double score = LabelReader.isNumber(text) ? Double.parseDouble(text) : Double.NaN;
        if (!(score >= -1 && score <= 1)) {
            throw new InputException(place + ": \"" + roles.key("score") + "\" is " + JsonFields.shortened(value)
                    + ", expected a similarity from -1 to 1; divide scores of another range by their largest");
        }
        return score;
    }

    private Label label(ObjectNode row, String place) {
        if (labels == null) {
            throw new IllegalStateException(shape + " has no labels");
        }
        return labels.read(row.path(roles.key(shape == RowShape.WORDS ? "tags" : "label")), place);
    }

    private Row words(ObjectNode row, String place) {
        List<String> words = strings(roles.value(row, "tokens"), roles.key("tokens"), place);
        if (labels == null) {
            return new Row.Words(words, null);
        }
        Label.Each tags = (Label.Each) label(row, place);
        if (words.size() != tags.names().size()) {
            throw new InputException(place + ": \"" + roles.key("tokens") + "\" has " + words.size() + " words, \""
                    + roles.key("tags") + "\" has " + tags.names().size() + " tags; each word has one");
        }
        return new Row.Words(words, tags);
    }

    private static List<String> strings(JsonNode value, String key, String place) {
        if (!value.isArray() || value.isEmpty()) {
            throw new InputException(
                    place + ": \"" + key + "\" is " + JsonFields.shortened(value) + ", expected a list of texts");
        }
        List<String> strings = new ArrayList<>();
        for (JsonNode element : value.values()) {
            strings.add(JsonFields.string(element, key + "[" + strings.size() + "]", place, false));
        }
        return strings;
    }

    /** Reads a question: the one asked comes behind the stem, a common beginning of choices before it. */
    private Row choice(ObjectNode row, String place) {
        ChoiceReader choices = ChoiceReader.read(row, roles.key("choices"), place);
        String stem = roles.string(row, "stem", place, false);
        String question = roles.key("question").equals(roles.key("stem")) ? "" : roles.optional(row, "question", place);
        String start = roles.optional(row, "start", place);
        return new Row.Choice(
                question.isBlank() ? stem : stem + " " + question,
                start.isBlank()
                        ? choices.choices()
                        : choices.choices().stream()
                                .map(choice -> start + " " + choice)
                                .toList(),
                shape == RowShape.UNSOLVED
                        ? null
                        : choices.correct(roles.value(row, "correct"), roles.key("correct"), place));
    }

    private Row question(ObjectNode row, @Nullable List<Row.Answer> answers, String place) {
        return new Row.Question(
                roles.string(row, "question", place, false), roles.string(row, "context", place, false), answers);
    }

    private List<Row.Answer> answers(ObjectNode row, String place) {
        String context = roles.string(row, "context", place, false);
        JsonNode given = roles.value(row, "answers");
        List<Row.Answer> answers = new ArrayList<>();
        if (given.isArray()) {
            given.values()
                    .forEach(answer ->
                            answers.add(answer(answer.path("text"), answer.path("answer_start"), context, place)));
        } else {
            JsonNode texts = given.path("text");
            JsonNode starts = given.path("answer_start");
            if (!texts.isArray() || !starts.isArray() || texts.size() != starts.size()) {
                throw new InputException(place + ": \"" + roles.key("answers") + "\" is " + JsonFields.shortened(given)
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
        String answer = JsonFields.string(text, "text", place, false);
        int places = context.codePointCount(0, context.length());
        if (!start.isInt() || start.intValue() < 0 || start.intValue() > places) {
            throw new InputException(place + ": answer_start is " + JsonFields.shortened(start)
                    + ", expected a whole number from 0 to " + places + ", the length of the context");
        }
        int at = context.offsetByCodePoints(0, start.intValue());
        if (!context.startsWith(answer, at)) {
            throw new InputException(place + ": the answer \"" + JsonFields.shortened(answer) + "\" doesn't stand at "
                    + start.intValue() + " of the context, where there is \""
                    + JsonFields.shortened(context.substring(at)) + "\"");
        }
        return new Row.Answer(answer, at);
    }

    private Row tokens(ObjectNode row, String place) {
        int[] ids = ids(row, place);
        int[] targets = integers(row.get(roles.key("labels")), "labels", -100, place);
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
        int[] ids = integers(row.get(roles.key("input_ids")), "input_ids", 0, place);
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
            throw new InputException(place + ": \"" + key + "\" is " + JsonFields.shortened(value)
                    + ", expected a list of whole numbers");
        }
        int[] integers = new int[value.size()];
        for (int i = 0; i < integers.length; i++) {
            JsonNode element = value.get(i);
            if (!element.isInt() || element.intValue() < least) {
                throw new InputException(place + ": " + key + "[" + i + "] is " + JsonFields.shortened(element)
                        + ", expected a whole number of at least " + least);
            }
            integers[i] = element.intValue();
        }
        return integers;
    }
}
