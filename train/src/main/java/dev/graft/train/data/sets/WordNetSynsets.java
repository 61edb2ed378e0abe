package dev.graft.train.data.sets;

import dev.graft.formats.FormatException;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Definitions of nouns with the nouns of their synset, from WordNet's {@code data.noun} (format: wndb(5WN)), as pairs to embed:
 * {@code "a friend who is frequently in the company of another" -> "companion, comrade, fellow, familiar, associate"}. Synsets with the same first noun
 * stay together.
 */
final class WordNetSynsets {
    private static final int FIRST_WORD = 4;
    private static final int HEXADECIMAL = 16;

    private WordNetSynsets() {}

    /** @throws FormatException naming the line that is not in the format */
    static Splits read(Path file) {
        List<HashSplits.GroupedRow> rows = new ArrayList<>();
        WordNet.nouns(file, (line, place) -> {
            List<String> nouns = nouns(line, place);
            rows.add(new HashSplits.GroupedRow(
                    nouns.get(0), new Row.TextPair(WordNet.definition(line, place), String.join(", ", nouns), null)));
        });
        return HashSplits.split("wordnet-synsets", rows);
    }

    /** Reads the nouns of a line: their number in hexadecimal digits, then each with the number of its sense. */
    private static List<String> nouns(String line, String place) {
        String[] fields = line.split(" ");
        if (fields.length <= FIRST_WORD || !fields[FIRST_WORD - 1].matches("[0-9a-f]{2}")) {
            throw new FormatException(place, "is not a noun of WordNet: expected the number of its words", null);
        }
        int count = Integer.parseInt(fields[FIRST_WORD - 1], HEXADECIMAL);
        if (count < 1 || fields.length < FIRST_WORD + 2 * count) {
            throw new FormatException(place, "has fewer words than the " + count + " that it says", null);
        }
        List<String> nouns = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            nouns.add(fields[FIRST_WORD + 2 * i].replace('_', ' '));
        }
        return nouns;
    }
}
