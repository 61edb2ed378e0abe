package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.train.data.Row;
import dev.graft.train.data.files.Splits;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A task of a benchmark. */
public interface SuiteTask {
    /** Returns the name, such as {@code rte}. */
    String title();

    /** Returns the kind of question of the rows. */
    SuiteQuestion question();

    /** Returns the splits with labels to score on, by their official names: one, except MNLI with two. */
    List<String> scoredSplits();

    /** Returns the training split; null for a benchmark without one. */
    default @Nullable String trainSplit() {
        return "train";
    }

    /** Returns the validation split; null to use a tenth of the training rows. */
    default @Nullable String validationSplit() {
        return null;
    }

    /** Returns the file or folder of a split in the benchmark's folder. */
    Path file(Path folder, String part);

    /** Returns all files of a split. */
    default List<Path> files(Path folder, String part) {
        return List.of(file(folder, part));
    }

    /**
     * Reads the items of a split's files, in their order.
     *
     * @throws dev.graft.formats.FormatException naming the line that isn't in the official format
     */
    List<Item> read(Path folder, String part);

    /** Opens the splits in place if the files are too large to convert; null if {@link #read} must be used. */
    default @Nullable Splits openSplits(Path folder) {
        return null;
    }

    /**
     * Computes the official metrics of a split, each from 0 to 1 or a correlation, except {@link #nonPercentScores}.
     */
    Map<String, Double> score(List<Answer> answers);

    /** Returns the names of metrics that aren't shown in percent. */
    default Set<String> nonPercentScores() {
        return Set.of();
    }

    /** Returns the names of metrics whose mean is the task's score; empty for all. */
    default List<String> mainScores() {
        return List.of();
    }

    /** Returns remarks on a score, such as rows that the rules leave out. */
    default List<String> notes(List<Answer> answers) {
        return List.of();
    }

    /** Returns whether the task counts in the benchmark's average; a diagnostic set doesn't. */
    default boolean countsInAverage() {
        return true;
    }

    /**
     * Returns the group of tasks with which it is averaged first, in benchmarks that report a mean of means; else empty.
     */
    default String group() {
        return "";
    }

    /** Returns the limits of an answer to {@link SuiteQuestion#TEXT}. */
    default GenerationLimits generationLimits() {
        return GenerationLimits.LINE;
    }

    /** Returns this task with METEOR by synonyms, or itself if it doesn't report METEOR. */
    default SuiteTask with(Synonyms synonyms) {
        return this;
    }

    /** Returns a filter of the admitted answers to {@link SuiteQuestion#TOKEN}. */
    default Predicate<String> answerFilter(Path folder) {
        return token -> true;
    }

    /**
     * The limits of a generated answer.
     *
     * @param tokens the maximum number of tokens
     * @param stop texts that end it
     */
    record GenerationLimits(int tokens, List<String> stop) {
        /** A line. */
        static final GenerationLimits LINE = new GenerationLimits(128, List.of("\n"));

        public GenerationLimits {
            stop = List.copyOf(stop);
        }
    }

    /**
     * An item of a benchmark.
     *
     * @param row the row to answer
     * @param group the group of rows that are scored together: a question with several answers, a relation, texts of known domains
     * @param kind the kind of the group, for separate scores; empty for none
     * @param gold the right answers of the group, beyond the row's label
     */
    record Item(Row row, String group, String kind, List<String> gold) {
        public Item {
            gold = List.copyOf(gold);
        }

        Item(Row row, String group, List<String> gold) {
            this(row, group, "", gold);
        }

        Item(Row row) {
            this(row, "", List.of());
        }
    }

    /**
     * The answer of a model to an item.
     *
     * @param outputs classes, most probable first; a tag for each word; a text; tokens, most probable first; or a choice. For extractive
     *     answers, the second output is the best span, also if no answer is more probable. Empty for a number
     * @param value the probability that the row is right (the class {@link #YES}), or that there is no answer; the predicted number; the
     *     rank of the right token among all admitted ones, from 1, or 0 if it isn't admitted; else 0
     */
    record Answer(Item item, List<String> outputs, double value) {
        public Answer {
            outputs = List.copyOf(outputs);
        }

        Answer(Item item, String outputs, double value) {
            this(item, outputs.isEmpty() ? List.of() : List.of(outputs), value);
        }

        /** Returns the first output; empty for a number. */
        public String label() {
            return outputs.isEmpty() ? "" : outputs.get(0);
        }
    }

    /** Collects answers by the groups of their items, in the order of first appearance. */
    static Map<String, List<Answer>> groups(List<Answer> answers) {
        Map<String, List<Answer>> groups = new LinkedHashMap<>();
        answers.forEach(answer -> groups.computeIfAbsent(answer.item().group(), group -> new ArrayList<>())
                .add(answer));
        return groups;
    }

    /** The class of a choice that is right, in tasks whose rows are choices. */
    String YES = "yes";

    /** The class of a choice that is wrong. */
    String NO = "no";
}
