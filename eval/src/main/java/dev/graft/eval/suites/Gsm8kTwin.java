package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * A twin of GSM8K in its official files: the number of pictures that show things of a kind, with two of four things of that kind. The
 * meaning of the words determines which; then two numbers below ten are added. The things of test problems are in no training problem.
 */
final class Gsm8kTwin {
    private static final int TEST = 200;
    private static final int THINGS = 4;

    private Gsm8kTwin() {}

    private record Drawn(String thing, int times, boolean isAsked) {}

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        for (String part : List.of("train", "test")) {
            boolean isTest = part.equals("test");
            TwinVocabulary words = new TwinVocabulary(seed, isTest);
            StringBuilder lines = new StringBuilder();
            for (int i = 0; i < (isTest ? TEST : train); i++) {
                lines.append(problem(words)).append('\n');
            }
            AtomicWrite.text(new Gsm8k().file(folder, part), lines.toString());
        }
        TwinMarker.write(folder, "GSM8K", seed);
    }

    private static String problem(TwinVocabulary words) {
        String kind = words.kind();
        int first = words.below(THINGS);
        int second = (first + 1 + words.below(THINGS - 1)) % THINGS;
        List<Drawn> drawn = new ArrayList<>();
        while (drawn.size() < THINGS) {
            boolean asked = drawn.size() == first || drawn.size() == second;
            String thing = words.of(asked ? kind : words.otherThan(kind));
            if (drawn.stream().noneMatch(other -> other.thing.equals(thing))) {
                drawn.add(new Drawn(thing, 2 + words.below(8), asked));
            }
        }
        List<String> all = drawn.stream()
                .map(each -> TwinVocabulary.a(each.thing) + " " + each.times + " times")
                .toList();
        List<Drawn> asked = drawn.stream().filter(Drawn::isAsked).toList();
        String sum = asked.stream().map(each -> "" + each.times).collect(Collectors.joining("+"));
        int total = asked.stream().mapToInt(Drawn::times).sum();
        String person = words.any(TwinVocabulary.PEOPLE);
        return Json.compact(JsonNodeFactory.instance
                .objectNode()
                .put(
                        "question",
                        person + " drew " + String.join(", ", all.subList(0, THINGS - 1)) + " and "
                                + all.get(THINGS - 1) + ". How many pictures of " + kind + "s did " + person + " draw?")
                .put(
                        "answer",
                        "The " + kind + "s are the " + asked.get(0).thing + " and the " + asked.get(1).thing + ".\n"
                                + sum.replace("+", " + ") + " = <<" + sum + "=" + total + ">>" + total + "\n#### "
                                + total));
    }
}
