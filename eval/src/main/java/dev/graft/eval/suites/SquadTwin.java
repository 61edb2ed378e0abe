package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A twin of SQuAD in its official files: texts that name a thing of each of several kinds, and questions that name a kind. Only the meaning
 * of the words determines the answer, and the things of the dev texts are in no training text. A third of the questions of 2.0 ask for a
 * kind that the text doesn't mention.
 */
final class SquadTwin {
    private static final int DEV = 200;
    private static final int THINGS = 4;

    private SquadTwin() {}

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        for (Squad version : Squad.values()) {
            write(version.file(folder, "train"), version, new TwinVocabulary(seed + version.ordinal(), false), train);
            write(version.file(folder, "dev"), version, new TwinVocabulary(seed + version.ordinal(), true), DEV);
        }
        TwinMarker.write(folder, "SQuAD", seed);
    }

    private static void write(Path file, Squad version, TwinVocabulary words, int rows) {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("version", version.title());
        ArrayNode paragraphs =
                json.putArray("data").addObject().put("title", "twin").putArray("paragraphs");
        for (int number = 0; number < rows; number++) {
            paragraph(paragraphs.addObject(), words, version, number);
        }
        AtomicWrite.text(file, Json.compact(json) + "\n");
    }

    private static void paragraph(ObjectNode paragraph, TwinVocabulary words, Squad version, int number) {
        List<String> kinds = new ArrayList<>();
        while (kinds.size() <= THINGS) {
            String kind = words.kind();
            if (!kinds.contains(kind)) {
                kinds.add(kind);
            }
        }
        // The last kind is none of the text.
        boolean open = version == Squad.V2 && words.below(3) == 0;
        int asked = open ? THINGS : words.below(THINGS);
        StringBuilder context = new StringBuilder();
        int start = 0;
        String answer = "";
        for (int i = 0; i < THINGS; i++) {
            String thing = words.of(kinds.get(i));
            context.append(i == 0 ? "The " : i < THINGS - 1 ? ", the " : " and the ");
            if (i == asked) {
                answer = thing;
                start = context.length();
            }
            context.append(thing);
        }
        context.append(" were found.");
        paragraph.put("context", context.toString());
        ObjectNode question = paragraph.putArray("qas").addObject();
        question.put("id", version.title() + "-" + number);
        question.put("question", "Which " + kinds.get(asked) + " was found?");
        ArrayNode answers = question.putArray("answers");
        if (!open) {
            answers.addObject().put("text", answer).put("answer_start", start);
        }
        if (version == Squad.V2) {
            question.put("is_impossible", open);
        }
    }
}
