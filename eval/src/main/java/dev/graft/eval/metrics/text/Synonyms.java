package dev.graft.eval.metrics.text;

import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.train.data.sets.WordNet;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Synonyms from the files of WordNet (wndb(5WN), morphy(7WN)): {@code index.noun}, {@code data.noun}, {@code noun.exc} and those of the
 * other parts of speech. Inflected forms are reduced to their lemmas as in NLTK.
 */
public final class Synonyms {
    /** Endings of forms and those of their words, a pair behind another. */
    private static final Map<String, List<String>> ENDINGS = Map.of(
            "noun",
            List.of(
                    "s", "", "ses", "s", "ves", "f", "xes", "x", "zes", "z", "ches", "ch", "shes", "sh", "men", "man",
                    "ies", "y"),
            "verb",
            List.of("s", "", "ies", "y", "es", "e", "es", "", "ed", "e", "ed", "", "ing", "e", "ing", ""),
            "adj",
            List.of("er", "", "est", "", "er", "e", "est", "e"),
            "adv",
            List.of());

    private static final int FIRST_WORD = 4;
    private static final int HEXADECIMAL = 16;

    /**
     * A part of speech.
     *
     * @param meanings where the meanings of a word stand in the data's file
     * @param words those of each meaning
     * @param exceptions words of irregular forms
     */
    private record PartOfSpeech(
            Map<String, List<String>> meanings,
            Map<String, List<String>> words,
            Map<String, List<String>> exceptions,
            List<String> endings) {
        void add(String form, Set<String> synonyms) {
            List<String> bases = new ArrayList<>(List.of(form));
            List<String> irregular = exceptions.get(form);
            if (irregular != null) {
                bases.addAll(irregular);
            } else {
                for (int i = 0; i < endings.size(); i += 2) {
                    if (form.endsWith(endings.get(i))) {
                        bases.add(
                                form.substring(0, form.length() - endings.get(i).length()) + endings.get(i + 1));
                    }
                }
            }
            for (String base : bases) {
                meanings.getOrDefault(base, List.of())
                        .forEach(meaning -> synonyms.addAll(words.getOrDefault(meaning, List.of())));
            }
        }
    }

    private final List<PartOfSpeech> parts;

    private Synonyms(List<PartOfSpeech> parts) {
        this.parts = parts;
    }

    /**
     * Reads WordNet's files from a folder or one of its subfolders, such as that of {@code hub.fetch("wordnet")}.
     *
     * @throws InputException if the folder has no WordNet
     * @throws FormatException naming the missing file, or the line that isn't in WordNet's format
     */
    public static Synonyms read(Path folder) {
        Path nouns = WordNet.find(folder);
        List<PartOfSpeech> parts = new ArrayList<>();
        ENDINGS.forEach((name, endings) -> {
            Map<String, List<String>> meanings = new HashMap<>();
            lines(nouns.resolveSibling("index." + name), fields -> {
                int count = Integer.parseInt(fields[2]);
                meanings.put(fields[0], List.of(fields).subList(fields.length - count, fields.length));
            });
            Map<String, List<String>> words = new HashMap<>();
            lines(nouns.resolveSibling("data." + name), fields -> {
                List<String> single = new ArrayList<>();
                for (int i = 0; i < Integer.parseInt(fields[FIRST_WORD - 1], HEXADECIMAL); i++) {
                    // An adjective may say where it stands: (p), (a), (ip).
                    String word = fields[FIRST_WORD + 2 * i].replaceFirst("\\([a-z]+\\)$", "");
                    if (word.indexOf('_') < 0) {
                        single.add(word);
                    }
                }
                words.put(fields[0], single);
            });
            Map<String, List<String>> exceptions = new HashMap<>();
            lines(
                    nouns.resolveSibling(name + ".exc"),
                    fields -> exceptions.put(fields[0], List.of(fields).subList(1, fields.length)));
            parts.add(new PartOfSpeech(meanings, words, exceptions, endings));
        });
        return new Synonyms(parts);
    }

    private interface Line {
        void read(String[] fields);
    }

    private static void lines(Path file, Line line) {
        int number = 0;
        try {
            for (String text : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                number++;
                // The licence stands before the first word.
                if (!text.startsWith(" ") && !text.isBlank()) {
                    line.read(text.strip().split(" +"));
                }
            }
        } catch (IOException e) {
            throw new FormatException(file.toString(), "cannot be read: " + e, e);
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new FormatException(file + ":" + number, "is no line of WordNet's: " + e.getMessage(), e);
        }
    }

    /** A lower-case word and all single words that share a meaning with it. */
    Set<String> of(String word) {
        Set<String> synonyms = new HashSet<>(Set.of(word));
        parts.forEach(part -> part.add(word, synonyms));
        return synonyms;
    }
}
