package dev.graft.eval.suites;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * An action of a person with a thing at a place. The data name only the thing; its kind decides the action.
 *
 * @param kind the kind of the thing, which isn't in the data
 */
record TwinEvent(String person, String kind, String thing, String place) {
    private static final Map<String, String> VERBS = Map.of(
            "animal", "feeds",
            "food", "eats",
            "vehicle", "drives",
            "tool", "works with",
            "instrument", "plays",
            "garment", "wears");

    /** Returns an event with a thing of a kind. */
    static TwinEvent of(String kind, TwinVocabulary words) {
        return new TwinEvent(words.any(TwinVocabulary.PEOPLE), kind, words.of(kind), words.any(TwinVocabulary.PLACES));
    }

    /** The texts that tell it. */
    List<String> texts() {
        String deed = person + " " + Objects.requireNonNull(VERBS.get(kind)) + " the " + thing;
        return List.of(deed + " at the " + place + ".", "At the " + place + " " + deed + ".");
    }
}
