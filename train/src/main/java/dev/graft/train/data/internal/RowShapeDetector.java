package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.train.data.DataOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.RowShape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Detects from the first rows the {@link RowShape} of a file, the roles of its keys, and the kind of its labels. */
final class RowShapeDetector {
    /** Names that suggest a part but are too vague to take without being told. */
    private static final Map<String, List<String>> SUGGESTED = Map.ofEntries(
            Map.entry(
                    "text",
                    List.of(
                            "review",
                            "content",
                            "body",
                            "comment",
                            "tweet",
                            "title",
                            "document",
                            "utterance",
                            "description")),
            Map.entry(
                    "label",
                    List.of(
                            "category",
                            "class",
                            "target",
                            "sentiment",
                            "intent",
                            "tag",
                            "score",
                            "rating",
                            "y",
                            "stars")),
            Map.entry("messages", List.of("dialog", "dialogue", "chat", "turns")),
            Map.entry("prompt", List.of("instruction", "question", "query")),
            Map.entry("completion", List.of("output", "response", "answer")),
            Map.entry("output", List.of("response", "answer")),
            Map.entry("chosen", List.of("accepted", "preferred", "response_chosen")),
            Map.entry("rejected", List.of("refused", "response_rejected")),
            Map.entry("input_ids", List.of("ids", "tokens", "token_ids")),
            Map.entry("labels", List.of("target_ids", "label_ids")),
            Map.entry("image", List.of("file_name", "img", "picture", "photo", "path", "file", "filename")));

    /** Shapes of rows to predict. */
    private static final List<RowShape> BARE =
            List.of(RowShape.UNTAGGED, RowShape.UNANSWERED, RowShape.TEXT, RowShape.UNSOLVED, RowShape.IMAGE);

    private RowShapeDetector() {}

    static RowShape shape(List<ObjectNode> rows, DataOptions options, String place) {
        if (options.shape() != null) {
            return options.shape();
        }
        Map<RowShape, Integer> votes = new EnumMap<>(RowShape.class);
        for (ObjectNode row : rows) {
            for (RowShape shape : RowShape.values()) {
                if (fits(shape, row)) {
                    votes.merge(shape, 1, Integer::sum);
                }
            }
        }
        // A stem and an answer may be parts of other rows too, choices aren't.
        if (votes.containsKey(RowShape.CHOICE)) {
            votes.keySet().removeIf(shape -> shape != RowShape.CHOICE);
        }
        // A score beside a label, or beside what is to be answered, is no similarity to learn.
        if (options.isPromptOnly() || votes.containsKey(RowShape.CLASSIFICATION)) {
            votes.remove(RowShape.SCORED_PAIR);
        }
        // What is looked for lacks nothing, where rows can be that.
        for (RowShape bare : BARE) {
            if (votes.size() > 1) {
                votes.remove(bare);
            }
        }
        if (votes.isEmpty()) {
            throw new InputException(place + ": " + unknown(rows.get(0)));
        }
        int most = Collections.max(votes.values());
        List<RowShape> best = votes.entrySet().stream()
                .filter(vote -> vote.getValue() == most)
                .map(Map.Entry::getKey)
                .toList();
        if (best.size() > 1) {
            throw new InputException(place + ": the keys " + rows.get(0).propertyNames() + " fit more than one shape ("
                    + best.stream().map(RowShape::title).collect(Collectors.joining(", "))
                    + "): remove the keys of the others, or say which shape is meant");
        }
        return best.get(0);
    }

    static boolean fits(RowShape shape, ObjectNode row) {
        boolean complete = PromptColumns.required(shape, row.propertyNames()).stream()
                .allMatch(key -> ColumnNames.find(row.propertyNames(), key) != null);
        return complete
                && switch (shape) {
                    case TOKENS -> row.path("labels").isArray();
                    case LABELLED_TOKENS -> !row.path("labels").isArray();
                    case CHAT, INSTRUCTION, PROMPT_COMPLETION -> !isJudged(row);
                    case JUDGED -> isJudged(row);
                    case WORDS -> isList(row, "tags");
                    case CHOICE, UNSOLVED ->
                        ChoiceReader.isIn(row, String.valueOf(ColumnNames.find(row.propertyNames(), "choices")));
                    case UNTAGGED -> isList(row, "tokens");
                    default -> true;
                };
    }

    private static boolean isList(ObjectNode row, String part) {
        return row.path(String.valueOf(ColumnNames.find(row.propertyNames(), part)))
                .isArray();
    }

    private static boolean isJudged(ObjectNode row) {
        return LabelReader.judgement(row.path(String.valueOf(ColumnNames.find(row.propertyNames(), "label")))) != null;
    }

    /** Describes keys that fit no shape: the nearest one, how to get there, and what it looks like. */
    static String unknown(ObjectNode row) {
        RowShape nearest = RowShape.CLASSIFICATION;
        Map<String, String> renames = Map.of();
        int found = 0;
        for (RowShape shape : RowShape.values()) {
            if (shape.keys().contains("choices")
                    && ColumnNames.find(row.propertyNames(), "choices") == null
                    && similar(row, "choices") == null) {
                continue;
            }
            Map<String, String> candidate = new LinkedHashMap<>();
            int score = 0;
            for (String part : shape.keys()) {
                String key = ColumnNames.find(row.propertyNames(), part);
                if (key != null) {
                    score += 3;
                    continue;
                }
                String similar = similar(row, part);
                if (similar != null && !candidate.containsValue(similar)) {
                    candidate.put(part, similar);
                    score += 2;
                }
            }
            if (score > found) {
                nearest = shape;
                renames = candidate;
                found = score;
            }
        }
        List<String> advice = new ArrayList<>();
        renames.forEach((part, key) -> advice.add(part + ": " + key));
        return "the keys " + row.propertyNames() + " fit no known shape. Nearest: " + nearest.title() + ", such as "
                + nearest.sample()
                + (advice.isEmpty()
                        ? ""
                        : ". Rename the keys, or map them with data.columns: {" + String.join(", ", advice) + "}");
    }

    private static @Nullable String similar(ObjectNode row, String part) {
        for (String key : row.propertyNames()) {
            String lower = key.toLowerCase(Locale.ROOT);
            if (lower.equals(part)
                    || SUGGESTED.getOrDefault(part, List.of()).contains(lower)
                    || ColumnNames.ACCEPTED.getOrDefault(part, List.of()).contains(lower)) {
                return key;
            }
        }
        return null;
    }

    /** Returns the kind of the labels, from the values of the first rows; missing values and NaN say nothing. */
    static Label.Kind labels(List<ObjectNode> rows, String key, boolean textOnly) {
        if (rows.get(0).path(key).isArray()) {
            return Label.Kind.MANY;
        }
        boolean fraction = false;
        for (ObjectNode row : rows) {
            JsonNode value = row.path(key);
            if (textOnly) {
                String text = value.asString("").strip();
                if (!text.isEmpty() && !LabelReader.isNumber(text)) {
                    return Label.Kind.ONE;
                }
                fraction |= LabelReader.isFraction(text);
            } else if (value.isNumber()) {
                fraction |= value.isFloatingPointNumber() && !Double.isNaN(value.doubleValue());
            } else if (!value.isNull() && !value.isMissingNode()) {
                return Label.Kind.ONE;
            }
        }
        return fraction ? Label.Kind.SCORE : Label.Kind.ONE;
    }
}
