package dev.graft.eval.suites;

import dev.graft.train.data.Row;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A task of a benchmark. */
public interface SuiteTask {
    /** Its name, such as {@code rte}. */
    String title();

    /** The parts that have labels to score on, as the official files call them; one, but for MNLI's two. */
    List<String> scored();

    /** The file of a part in the benchmark's folder; {@code train} is one too. */
    Path file(Path folder, String part);

    /**
     * What a part's file holds, in its order.
     *
     * @throws dev.graft.formats.FormatException naming the line that isn't in the official format
     */
    List<Item> read(Path folder, String part);

    /** Whether the answer is a number. */
    default boolean isScore() {
        return false;
    }

    /** The official metrics of one part, each from 0 to 1 or a correlation; the task's score is their mean. */
    Map<String, Double> score(List<Answer> answers);

    /** Whether it counts in the benchmark's average; a diagnostic set doesn't. */
    default boolean counts() {
        return true;
    }

    /**
     * A row to classify.
     *
     * @param group of rows that are judged together: a question with several answers
     * @param gold what is right for the group, where that is more than the row's label
     */
    record Item(Row row, String group, List<String> gold) {
        public Item {
            gold = List.copyOf(gold);
        }

        Item(Row row) {
            this(row, "", List.of());
        }
    }

    /**
     * What a model says of an item.
     *
     * @param label the class that it chose, empty for a number
     * @param value the probability that the row is right (the class {@link #YES}), or the number that it predicts
     */
    record Answer(Item item, String label, double value) {}

    /** The class of a choice that is right, in tasks whose rows are choices. */
    String YES = "yes";

    /** The class of a choice that is wrong. */
    String NO = "no";
}
