package dev.graft.eval.suites;

import dev.graft.formats.AtomicWrite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A twin of XSum in its official files: in each text three people buy things of one kind, among other news. The summary names the kind,
 * which no text does. The things of test texts are in no training text.
 */
final class XsumTwin {
    private static final int TEST = 200;
    private static final int PEOPLE = 3;
    private static final List<String> NEWS = List.of(
            "The weather was fine.",
            "It rained all day.",
            "There was a lot of traffic.",
            "Everybody was in a good mood.");

    private XsumTwin() {}

    /** Writes it into an empty folder. */
    static void write(Path folder, long seed, int train) {
        TwinVocabulary words = new TwinVocabulary(seed, false);
        write(folder, "train", words, train);
        write(folder, "val", words, TEST);
        write(folder, "test", new TwinVocabulary(seed, true), TEST);
        TwinMarker.write(folder, "XSum", seed);
    }

    private static void write(Path folder, String part, TwinVocabulary words, int rows) {
        StringBuilder sources = new StringBuilder();
        StringBuilder targets = new StringBuilder();
        for (int i = 0; i < rows; i++) {
            pair(sources, targets, words);
        }
        AtomicWrite.text(folder.resolve(part + ".source"), sources.toString());
        AtomicWrite.text(folder.resolve(part + ".target"), targets.toString());
    }

    private static void pair(StringBuilder source, StringBuilder target, TwinVocabulary words) {
        String kind = words.kind();
        List<String> people = new ArrayList<>();
        while (people.size() < PEOPLE) {
            String person = words.any(TwinVocabulary.PEOPLE);
            if (!people.contains(person)) {
                people.add(person);
            }
        }
        int news = words.below(PEOPLE);
        for (int i = 0; i < PEOPLE; i++) {
            source.append(i == 0 ? "" : " ").append(i == news ? words.any(NEWS) + " " : "");
            source.append(SuperGlueTwin.bought(people.get(i), words.of(kind), words));
        }
        source.append('\n');
        target.append("%s, %s and %s bought %ss.\n".formatted(people.get(0), people.get(1), people.get(2), kind));
    }
}
