package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A twin of SuperGLUE: the eight tasks in the official files. The kind, use or property of the thing that a word names decides the answers;
 * the things of val rows are in no training row.
 */
final class SuperGlueTwin {
    private static final int VAL = 200;

    /** The wish that a thing of a kind fulfils. */
    private static final Map<String, String> WISHES = Map.of(
            "animal", "wanted a living companion",
            "food", "was very hungry",
            "vehicle", "had to travel far",
            "tool", "had to repair the fence",
            "instrument", "wanted to play a song",
            "garment", "had nothing to wear");

    /** The state that only a thing of a kind can be in. */
    private static final Map<String, String> STATES = Map.of(
            "animal", "asleep and breathing",
            "food", "tasty and well cooked",
            "vehicle", "out of fuel",
            "tool", "used by the carpenter",
            "instrument", "out of tune",
            "garment", "worn by a child");

    private SuperGlueTwin() {}

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        Map<SuperGlue, BiConsumer<ObjectNode, TwinVocabulary>> tasks = new LinkedHashMap<>();
        tasks.put(SuperGlue.BOOLQ, SuperGlueTwin::yesOrNo);
        tasks.put(SuperGlue.CB, SuperGlueTwin::commitment);
        tasks.put(SuperGlue.COPA, SuperGlueTwin::cause);
        tasks.put(SuperGlue.RTE, SuperGlueTwin::entailment);
        tasks.put(SuperGlue.WIC, TwinHomonyms::pair);
        tasks.put(SuperGlue.WSC, SuperGlueTwin::pronoun);
        tasks.put(SuperGlue.MULTIRC, SuperGlueTwin::answers);
        tasks.put(SuperGlue.RECORD, SuperGlueTwin::cloze);
        tasks.forEach((task, row) -> {
            for (String part : List.of("train", "val")) {
                boolean isTrain = part.equals("train");
                TwinVocabulary words = new TwinVocabulary(seed + 31L * task.ordinal(), !isTrain);
                StringBuilder text = new StringBuilder();
                for (int number = 0; number < (isTrain ? train : VAL); number++) {
                    ObjectNode line = JsonNodeFactory.instance.objectNode();
                    row.accept(line, words);
                    line.put("idx", number);
                    text.append(Json.compact(line)).append('\n');
                }
                AtomicWrite.text(task.file(folder, part), text.toString());
            }
        });
        TwinMarker.write(folder, "SuperGLUE", seed);
    }

    private static void yesOrNo(ObjectNode line, TwinVocabulary words) {
        String kind = words.kind();
        boolean label = words.coin();
        String place = words.any(TwinVocabulary.PLACES);
        List<String> things = words.several(label ? kind : words.otherThan(kind), 3);
        line.put("question", "are there " + kind + "s in the " + place);
        line.put(
                "passage",
                "In the " + place + " there are " + TwinVocabulary.a(things.get(0)) + ", "
                        + TwinVocabulary.a(things.get(1)) + " and " + TwinVocabulary.a(things.get(2)) + ".");
        line.put("label", label);
    }

    /** A sentence that somebody bought a thing. */
    static String bought(String person, String thing, TwinVocabulary words) {
        return person + " bought " + TwinVocabulary.a(thing) + " at the " + words.any(TwinVocabulary.PLACES) + ".";
    }

    private static void commitment(ObjectNode line, TwinVocabulary words) {
        List<Object> row = GlueTwin.inference(words, 0);
        line.put("premise", row.get(8).toString()).put("hypothesis", row.get(9).toString());
        line.put("label", row.get(11).toString());
    }

    private static void entailment(ObjectNode line, TwinVocabulary words) {
        List<Object> row = GlueTwin.entailment(words, 0, false);
        line.put("premise", row.get(1).toString()).put("hypothesis", row.get(2).toString());
        line.put("label", row.get(3).toString());
    }

    private static void cause(ObjectNode line, TwinVocabulary words) {
        String kind = words.kind();
        String other = words.otherThan(kind);
        String person = words.any(TwinVocabulary.PEOPLE);
        boolean backward = words.coin();
        String right = backward ? wish(person, kind) : person + " got " + TwinVocabulary.a(words.of(kind)) + ".";
        String wrong = backward ? wish(person, other) : person + " got " + TwinVocabulary.a(words.of(other)) + ".";
        int label = words.below(2);
        line.put("premise", backward ? person + " got " + TwinVocabulary.a(words.of(kind)) + "." : wish(person, kind));
        line.put("choice1", label == 0 ? right : wrong).put("choice2", label == 0 ? wrong : right);
        line.put("question", backward ? "cause" : "effect").put("label", label);
    }

    private static String wish(String person, String kind) {
        return person + " " + WISHES.get(kind) + ".";
    }

    private static void pronoun(ObjectNode line, TwinVocabulary words) {
        String kind = words.kind();
        String right = words.of(kind);
        String wrong = words.of(words.otherThan(kind));
        boolean first = words.coin();
        boolean label = words.coin();
        line.put(
                "text",
                "The " + (first ? right : wrong) + " was beside the " + (first ? wrong : right) + " and it was "
                        + STATES.get(kind) + ".");
        ObjectNode target = line.putObject("target");
        boolean isFirst = label == first;
        target.put("span1_index", isFirst ? 0 : 4)
                .put("span1_text", (isFirst ? "The " : "the ") + (label ? right : wrong));
        target.put("span2_index", 7).put("span2_text", "it");
        line.put("label", label);
    }

    private static void answers(ObjectNode line, TwinVocabulary words) {
        String kind = words.kind();
        List<String> sentences = new ArrayList<>();
        Map<String, Boolean> right = new LinkedHashMap<>();
        for (int i = 0; i < 3; i++) {
            boolean isKind = words.coin();
            String thing = words.of(isKind ? kind : words.otherThan(kind));
            right.put(thing, isKind);
            sentences.add(bought(words.any(TwinVocabulary.PEOPLE), thing, words));
        }
        ObjectNode passage = line.putObject("passage").put("text", String.join(" ", sentences));
        ObjectNode question = passage.putArray("questions").addObject();
        question.put("question", "Which " + kind + " was bought?").put("idx", 0);
        ArrayNode answers = question.putArray("answers");
        right.forEach((thing, isKind) -> answers.addObject().put("text", thing).put("label", isKind ? 1 : 0));
    }

    private static void cloze(ObjectNode line, TwinVocabulary words) {
        String kind = words.kind();
        List<String> people = new ArrayList<>();
        while (people.size() < 3) {
            String person = words.any(TwinVocabulary.PEOPLE);
            if (!people.contains(person)) {
                people.add(person);
            }
        }
        int right = words.below(3);
        StringBuilder text = new StringBuilder();
        ObjectNode passage = line.putObject("passage");
        ArrayNode entities = passage.putArray("entities");
        for (int i = 0; i < 3; i++) {
            String thing = words.of(i == right ? kind : words.otherThan(kind));
            text.append(i == 0 ? "" : " ");
            entities.addObject()
                    .put("start", text.length())
                    .put("end", text.length() + people.get(i).length() - 1);
            text.append(bought(people.get(i), thing, words));
        }
        passage.put("text", text.toString());
        ObjectNode asked = line.putArray("qas").addObject();
        asked.put("query", "@placeholder bought " + TwinVocabulary.a(kind) + ".")
                .put("idx", 0);
        asked.putArray("answers").addObject().put("text", people.get(right));
    }
}
