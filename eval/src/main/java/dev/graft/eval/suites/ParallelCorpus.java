package dev.graft.eval.suites;

import dev.graft.eval.suites.TextGenerationTask.Scoring;
import dev.graft.eval.suites.TextGenerationTask.TextPair;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Texts and their reference answers, line by line in two files: {@code test.source} and {@code test.target} for summaries, such as
 * {@code test.en} and {@code test.de} for translations.
 *
 * @param from the suffix of the file of texts
 * @param to the suffix of the file of answers
 * @param before the prompt before a text
 * @param behind the prompt after a text
 */
record ParallelCorpus(String from, String to, String before, String behind) implements TextGenerationTask.PairSource {
    private static final List<String> VALIDATION = List.of("valid", "val", "dev", "validation");

    /** The only task of XSum (Narayan et al., 2018) and of what has its form. */
    static SuiteTask summaries() {
        return new TextGenerationTask(
                "xsum", new ParallelCorpus("source", "target", "", "\nSummary:"), Scoring.SUMMARIES);
    }

    /**
     * The directions that a folder has test texts of: {@code de-en}, {@code en-de}.
     *
     * @throws InputException if there are no two languages
     */
    static List<SuiteTask> translations(Path folder) {
        TreeSet<String> languages = new TreeSet<>();
        try (Stream<Path> files = Files.list(folder)) {
            files.map(file -> file.getFileName().toString())
                    .filter(name -> name.matches("test\\.[a-z]{2,3}"))
                    .forEach(name -> languages.add(name.substring("test.".length())));
        } catch (IOException e) {
            throw new FileAccessException("cannot look into " + folder, e);
        }
        if (languages.size() < 2) {
            throw new InputException(folder + " has test texts in the languages " + languages
                    + ", expected two or more, such as test.en and test.de, the same sentence in the same line; found "
                    + Arrays.toString(folder.toFile().list()));
        }
        List<SuiteTask> tasks = new ArrayList<>();
        for (String from : languages) {
            for (String to : languages) {
                if (!from.equals(to)) {
                    tasks.add(new TextGenerationTask(
                            from + "-" + to,
                            new ParallelCorpus(
                                    from,
                                    to,
                                    "Translate " + language(from) + " to " + language(to) + ": ",
                                    "\n" + language(to) + ":"),
                            Scoring.TRANSLATION));
                }
            }
        }
        return tasks;
    }

    private static String language(String code) {
        return Locale.forLanguageTag(code).getDisplayLanguage(Locale.ENGLISH);
    }

    @Override
    public Path file(Path folder, String part) {
        return file(folder, part, from);
    }

    private static Path file(Path folder, String part, String end) {
        List<Path> files = (VALIDATION.contains(part) ? VALIDATION : List.of(part))
                .stream().map(name -> folder.resolve(name + "." + end)).toList();
        return files.stream().filter(Files::exists).findFirst().orElse(files.get(0));
    }

    @Override
    public List<Path> files(Path folder, String part) {
        return List.of(file(folder, part, from), file(folder, part, to));
    }

    @Override
    public List<TextPair> read(Path folder, String part) {
        Path texts = file(folder, part, from);
        Path answers = file(folder, part, to);
        List<String> sources = OfficialLines.read(texts);
        List<String> targets = OfficialLines.read(answers);
        if (sources.size() != targets.size()) {
            throw new FormatException(
                    answers,
                    "has " + targets.size() + " lines, but " + Objects.requireNonNull(texts.getFileName()) + " "
                            + sources.size() + "; expected one for each");
        }
        List<TextPair> pairs = new ArrayList<>();
        for (int i = 0; i < sources.size(); i++) {
            if (targets.get(i).isBlank()) {
                throw new FormatException(answers + ":" + (i + 1), "is blank, expected a text", null);
            }
            pairs.add(new TextPair(before + sources.get(i) + behind, List.of(targets.get(i)), ""));
        }
        return pairs;
    }
}
