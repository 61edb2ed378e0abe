package dev.graft.eval.suites;

import dev.graft.eval.metrics.text.Synonyms;
import dev.graft.train.data.Row;
import dev.graft.train.data.Splits;
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
    /** Its name, such as {@code rte}. */
    String title();

    /** What its rows ask of a model. */
    Ask asks();

    /** The parts that have labels to score on, as the official files call them; one, but for MNLI's two. */
    List<String> scored();

    /** The part to train on; null for a benchmark that is only scored. */
    default @Nullable String trained() {
        return "train";
    }

    /** The part that chooses among settings; null where a tenth of the rows to train on does. */
    default @Nullable String validated() {
        return null;
    }

    /** The file or folder of a part in the benchmark's folder. */
    Path file(Path folder, String part);

    /** All files of a part. */
    default List<Path> files(Path folder, String part) {
        return List.of(file(folder, part));
    }

    /**
     * What a part's files hold, in their order.
     *
     * @throws dev.graft.formats.FormatException naming the line that isn't in the official format
     */
    List<Item> read(Path folder, String part);

    /** The rows to train, to validate and to test on, where they are opened in place as large files are; null where they are read. */
    default @Nullable Splits opened(Path folder) {
        return null;
    }

    /** The official metrics of one part, each from 0 to 1 or a correlation, but for {@link #plain}. */
    Map<String, Double> score(List<Answer> answers);

    /** Those of {@link #score} that aren't shares, so that nobody states them in percent. */
    default Set<String> plain() {
        return Set.of();
    }

    /** Those of {@link #score} whose mean is the task's score; empty for all. */
    default List<String> counted() {
        return List.of();
    }

    /** What is to be known of a score, such as rows that the rules leave out. */
    default List<String> notes(List<Answer> answers) {
        return List.of();
    }

    /** Whether it counts in the benchmark's average; a diagnostic set doesn't. */
    default boolean counts() {
        return true;
    }

    /** The tasks that it is averaged with first, where a benchmark states a mean of means; empty elsewhere. */
    default String group() {
        return "";
    }

    /** How an answer of {@link Ask#TEXT} ends. */
    default Writing writing() {
        return Writing.LINE;
    }

    /** The same with METEOR by synonyms; itself where METEOR isn't stated. */
    default SuiteTask with(Synonyms synonyms) {
        return this;
    }

    /** Which answers are admitted to {@link Ask#TOKEN}. */
    default Predicate<String> admitted(Path folder) {
        return token -> true;
    }

    /**
     * How a written answer ends, unless the model ends it.
     *
     * @param tokens at most
     * @param stop texts that end it
     */
    record Writing(int tokens, List<String> stop) {
        /** One line. */
        static final Writing LINE = new Writing(128, List.of("\n"));

        public Writing {
            stop = List.copyOf(stop);
        }
    }

    /**
     * A row to answer.
     *
     * @param group of rows that are judged together: a question with several answers, a relation, texts of known domains
     * @param kind of the group, whose score is stated apart; empty for none
     * @param gold what is right for the group, where that is more than the row's label
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
     * What a model says of an item.
     *
     * @param said classes, most probable first; a tag for each word; a text; tokens, most probable first; or a choice. Behind a text's answer
     *     stands what it would be if the question couldn't be left open. Empty for a number
     * @param value the probability that the row is right (the class {@link #YES}), or that the question is left open; the number that it
     *     predicts; the place of the right token among all that are admitted, from 1, and 0 where it is none; else 0
     */
    record Answer(Item item, List<String> said, double value) {
        public Answer {
            said = List.copyOf(said);
        }

        Answer(Item item, String said, double value) {
            this(item, said.isEmpty() ? List.of() : List.of(said), value);
        }

        /** What it says first; empty for a number. */
        public String label() {
            return said.isEmpty() ? "" : said.get(0);
        }
    }

    /** Answers by the groups of their items, in the order of first appearance. */
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
