package dev.graft.eval.suites;

import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What somebody does with a thing somewhere. Of data only the thing is told, and what kind of thing it is says what is done with it.
 *
 * @param kind of the thing, which no data tells
 */
record TwinDeed(String person, String kind, String thing, String place) {
    private static final Map<String, String> VERBS = Map.of(
            "animal", "feeds",
            "food", "eats",
            "vehicle", "drives",
            "tool", "works with",
            "instrument", "plays",
            "garment", "wears");

    /** One with a thing of a kind. */
    static TwinDeed of(String kind, TwinWords words) {
        return new TwinDeed(words.any(TwinWords.PEOPLE), kind, words.of(kind), words.any(TwinWords.PLACES));
    }

    /** The texts that tell it. */
    List<String> texts() {
        String deed = person + " " + Objects.requireNonNull(VERBS.get(kind)) + " the " + thing;
        return List.of(deed + " at the " + place + ".", "At the " + place + " " + deed + ".");
    }
}
