package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.models.chat.Message;
import dev.graft.train.data.RowShape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/** Prompts to answer, whose missing answers are replaced by empty ones. */
final class PromptOnlyRows {
    /** The keys of answers, which a row may lack. */
    private static final Set<String> ANSWERS =
            Set.of("completion", "output", "label", "tags", "answers", "correct", "chosen", "rejected");

    private static final Map<RowShape, String> TEXTS = new LinkedHashMap<>();

    static {
        TEXTS.put(RowShape.INSTRUCTION, "output");
        TEXTS.put(RowShape.PROMPT_COMPLETION, "completion");
    }

    private PromptOnlyRows() {}

    static boolean mayLack(String part) {
        return ANSWERS.contains(part);
    }

    /** Returns the row with an empty text for a missing answer. */
    static ObjectNode of(ObjectNode row) {
        for (Map.Entry<RowShape, String> answer : TEXTS.entrySet()) {
            boolean isEmpty = row.path(answer.getValue()).isNull();
            if (isEmpty || Arrays.stream(RowShape.values()).noneMatch(shape -> RowShapeDetector.fits(shape, row))) {
                ObjectNode filled = row.deepCopy().put(answer.getValue(), "");
                if (RowShapeDetector.fits(answer.getKey(), filled)) {
                    return filled;
                }
            }
        }
        return row;
    }

    /** Rejects a conversation that has nothing to answer. */
    static void check(List<Message> messages, String place) {
        String last = messages.get(messages.size() - 1).role();
        if (last.equals("system")) {
            throw new InputException(
                    place + ": the last message is the system's, which asks nothing; expected a user's or"
                            + " a tool's to be answered");
        }
    }
}
