package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A twin of BIG-Bench Hard in its official files: the 27 tasks with their forms of answers (letters, two words, written ones), about kinds of
 * things. Its things are those kept for tests.
 */
final class BbhTwin {
    private static final int ROWS = 100;

    private BbhTwin() {}

    private record Question(String input, String target) {}

    /** Writes it into an empty folder. The number of questions is fixed, since there are no training rows. */
    static void write(Path folder, long seed) {
        write(folder, new TwinVocabulary(seed, true), ROWS);
        TwinMarker.write(folder, "BIG-Bench Hard", seed);
    }

    /** Questions on some words. */
    static void write(Path folder, TwinVocabulary words, int rows) {
        for (SuiteTask task : Bbh.all()) {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            ArrayNode examples = json.putArray("examples");
            for (int i = 0; i < rows; i++) {
                Question question = question(task.title(), words);
                examples.addObject().put("input", question.input).put("target", question.target);
            }
            AtomicWrite.text(folder.resolve("bbh").resolve(task.title() + ".json"), Json.compact(json) + "\n");
        }
    }

    private static Question question(String task, TwinVocabulary words) {
        return switch (task) {
            case "boolean_expressions" -> {
                boolean holds = words.coin();
                yield new Question("( " + claim(words, holds) + " ) is", holds ? "True" : "False");
            }
            case "sports_understanding" -> {
                boolean plausible = words.coin();
                yield new Question(
                        "Is the following sentence plausible? \"" + deed(words, plausible) + "\"",
                        plausible ? "yes" : "no");
            }
            case "web_of_lies" -> {
                boolean honest = words.coin();
                String person = words.any(TwinVocabulary.PEOPLE);
                yield new Question(
                        "Question: " + person + " says that " + claim(words, honest) + ". Does " + person
                                + " tell the truth?",
                        honest ? "Yes" : "No");
            }
            case "navigate", "causal_judgement" -> {
                boolean holds = words.coin();
                yield new Question(
                        "Is it true that " + claim(words, holds) + "?\nOptions:\n- Yes\n- No", holds ? "Yes" : "No");
            }
            case "formal_fallacies" -> {
                boolean valid = words.coin();
                yield new Question(
                        "\"It follows that " + claim(words, valid)
                                + ".\"\nIs the argument valid or invalid?\nOptions:\n- valid\n- invalid",
                        valid ? "valid" : "invalid");
            }
            case "object_counting" -> counted(words, "I have %s. How many %ss do I have?");
            case "multistep_arithmetic_two" -> counted(words, "%s: the number of %ss =");
            case "word_sorting" -> sorted(words);
            case "dyck_languages" -> {
                String kind = words.kind();
                yield new Question(
                        "Complete the list with the kind of its things. Input: "
                                + String.join(" ", words.several(kind, 3)),
                        kind);
            }
            default -> lettered(words, options(task));
        };
    }

    /** Returns the number of options of a question that is answered by a letter. */
    private static int options(String task) {
        return task.contains("seven") ? 7 : task.contains("five") ? 5 : task.contains("three") ? 3 : 4;
    }

    /** Returns a claim that a thing is of a kind, true or not. */
    private static String claim(TwinVocabulary words, boolean holds) {
        String kind = words.kind();
        return TwinVocabulary.a(words.of(holds ? kind : words.otherThan(kind))) + " is " + TwinVocabulary.a(kind);
    }

    /** Something done with a thing that one does, or doesn't. */
    private static String deed(TwinVocabulary words, boolean plausible) {
        TwinEvent event = TwinEvent.of(words.kind(), words);
        TwinEvent told = plausible
                ? event
                : new TwinEvent(event.person(), words.otherThan(event.kind()), event.thing(), event.place());
        return told.texts().get(0);
    }

    private static Question lettered(TwinVocabulary words, int options) {
        String kind = words.kind();
        int right = words.below(options);
        String list = IntStream.range(0, options)
                .mapToObj(i -> "\n(" + (char) ('A' + i) + ") " + words.of(i == right ? kind : words.otherThan(kind)))
                .collect(Collectors.joining());
        return new Question(
                "Which of these is " + TwinVocabulary.a(kind) + "?\nOptions:" + list, "(" + (char) ('A' + right) + ")");
    }

    private static Question counted(TwinVocabulary words, String text) {
        String kind = words.kind();
        List<String> things = new ArrayList<>();
        int count = 0;
        for (int i = 0; i < 4; i++) {
            boolean isOne = words.coin();
            count += isOne ? 1 : 0;
            things.add(TwinVocabulary.a(words.of(isOne ? kind : words.otherThan(kind))));
        }
        return new Question(text.formatted(String.join(", ", things), kind), Integer.toString(count));
    }

    private static Question sorted(TwinVocabulary words) {
        String kind = words.kind();
        String first = words.of(kind);
        String other = words.of(words.otherThan(kind));
        return new Question(
                "Sort the following words so that the " + kind + " comes first: List: "
                        + (words.coin() ? first + " " + other : other + " " + first),
                first + " " + other);
    }
}
