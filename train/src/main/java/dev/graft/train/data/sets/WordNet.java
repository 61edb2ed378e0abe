package dev.graft.train.data.sets;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.files.Splits;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/**
 * Definitions of nouns with the kind of thing they define, from WordNet's {@code data.noun} (format: wndb(5WN), lexnames(5WN)). The kind
 * is the lexicographer file of the sense; the 25 kinds leave out {@code noun.Tops}, the heads of the hierarchy. The text is the gloss
 * up to its first example sentence.
 *
 * <pre>{@code
 * WordNet nouns = WordNet.read(folder.resolve("data.noun"));
 * Splits splits = nouns.split(200, 60);
 * }</pre>
 */
public final class WordNet {
    private static final int FIRST_FILE = 4;
    private static final List<String> KINDS = List.of(
            "act",
            "animal",
            "artifact",
            "attribute",
            "body",
            "cognition",
            "communication",
            "event",
            "feeling",
            "food",
            "group",
            "location",
            "motive",
            "object",
            "person",
            "phenomenon",
            "plant",
            "possession",
            "process",
            "quantity",
            "relation",
            "shape",
            "state",
            "substance",
            "time");
    private static final int TOPS = 3;

    private final Map<String, List<String>> definitions;

    private WordNet(Map<String, List<String>> definitions) {
        this.definitions = definitions;
    }

    /**
     * Returns the path of {@code data.noun} in a folder of WordNet.
     *
     * @throws InputException if the folder has none
     */
    public static Path find(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.getFileName().toString().equals("data.noun"))
                    .sorted()
                    .findFirst()
                    .orElseThrow(() -> new InputException(folder + " has no data.noun, so it is not WordNet"));
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + folder, e);
        }
    }

    /**
     * Reads {@code data.noun}.
     *
     * @throws FormatException naming the line that is not in the format
     */
    public static WordNet read(Path file) {
        Map<String, String> kinds = new HashMap<>();
        Set<String> ambiguous = new HashSet<>();
        nouns(file, (text, place) -> {
            String kind = kind(text, place);
            String definition = definition(text, place);
            String before = kind.isEmpty() ? null : kinds.put(definition, kind);
            if (before != null && !before.equals(kind)) {
                ambiguous.add(definition);
            }
        });
        Map<String, List<String>> definitions = new TreeMap<>();
        kinds.forEach((definition, kind) -> {
            if (!ambiguous.contains(definition)) {
                definitions.computeIfAbsent(kind, key -> new ArrayList<>()).add(definition);
            }
        });
        definitions.replaceAll((kind, list) -> byHash(list));
        return new WordNet(definitions);
    }

    /** Hands out the lines of nouns with their places, without the licence at the head of the file, which is indented. */
    static void nouns(Path file, BiConsumer<String, String> noun) {
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            int line = 0;
            for (String text = reader.readLine(); text != null; text = reader.readLine()) {
                line++;
                if (!text.startsWith("  ")) {
                    noun.accept(text, file + ":" + line);
                }
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + file, e);
        }
    }

    private static List<String> byHash(List<String> definitions) {
        record Hashed(long hash, String definition) {}
        return definitions.stream()
                .map(definition -> new Hashed(row(definition, "").hash(), definition))
                .sorted(Comparator.comparingLong(Hashed::hash))
                .map(Hashed::definition)
                .toList();
    }

    /** Empty for {@code noun.Tops}. */
    private static String kind(String line, String place) {
        String[] fields = line.split(" ", 4);
        if (fields.length < 4 || !fields[1].matches("[0-9]{2}") || !fields[2].equals("n")) {
            throw new FormatException(
                    place, "is not a noun of WordNet: expected offset, two digits of a lexicographer file, n", null);
        }
        int number = Integer.parseInt(fields[1]);
        if (number == TOPS) {
            return "";
        }
        if (number < FIRST_FILE || number >= FIRST_FILE + KINDS.size()) {
            throw new FormatException(place, "lexicographer file " + number + " has no nouns", null);
        }
        return KINDS.get(number - FIRST_FILE);
    }

    static String definition(String line, String place) {
        int gloss = line.indexOf(" | ");
        if (gloss < 0) {
            throw new FormatException(place, "has no gloss after \" | \"", null);
        }
        String text = line.substring(gloss + 3);
        int example = text.indexOf("; \"");
        String definition = (example < 0 ? text : text.substring(0, example)).strip();
        if (definition.isEmpty()) {
            throw new FormatException(place, "has an empty definition", null);
        }
        return definition;
    }

    private static Row.Text row(String definition, String kind) {
        return new Row.Text(definition, null, new Label.One(kind));
    }

    /** Returns the definitions by kind, each once and without those of several kinds, in the order of their hashes. */
    public Map<String, List<String>> definitions() {
        return definitions;
    }

    /**
     * Creates training and test rows, without validation rows.
     *
     * @param train training rows of each kind
     * @param test test rows of each kind
     */
    public Splits split(int train, int test) {
        return split(train, 0, test);
    }

    /**
     * Creates training, validation and test rows, the same on every machine: each kind is divided in the order of hashes. A kind with too
     * few definitions is divided in the same proportion.
     *
     * @param train training rows of each kind
     * @param validation validation rows of each kind
     * @param test test rows of each kind
     */
    public Splits split(int train, int validation, int test) {
        List<Row> training = new ArrayList<>();
        List<Row> validating = new ArrayList<>();
        List<Row> testing = new ArrayList<>();
        definitions.forEach((kind, list) -> {
            long all = (long) train + validation + test;
            int tests = (int) Math.min(test, list.size() * (long) test / all);
            int validations = (int) Math.min(validation, list.size() * (long) validation / all);
            int trainings = Math.min(train, list.size() - tests - validations);
            add(training, kind, list, 0, trainings);
            add(validating, kind, list, trainings, validations);
            add(testing, kind, list, trainings + validations, tests);
        });
        return new Splits(
                Rows.of("wordnet/train", training),
                validating.isEmpty() ? null : Rows.of("wordnet/validation", validating),
                Rows.of("wordnet/test", testing),
                List.of());
    }

    private static void add(List<Row> rows, String kind, List<String> definitions, int from, int count) {
        definitions.subList(from, from + count).forEach(definition -> rows.add(row(definition, kind)));
    }
}
