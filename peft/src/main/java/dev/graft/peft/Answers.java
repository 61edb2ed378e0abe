package dev.graft.peft;

import dev.graft.formats.Fields;
import java.util.List;

/**
 * What an adapter's folder says of the answers that it was trained to give.
 *
 * @param labels the names of a classifier's outputs; empty where it names none
 * @param several whether each of them is judged by itself, so that a text may have several or none
 */
public record Answers(List<String> labels, boolean several) {
    /** Nothing. */
    public static final Answers UNKNOWN = new Answers(List.of(), false);

    public Answers {
        labels = List.copyOf(labels);
    }

    static Answers of(Fields record) {
        List<String> labels = record.stringsOrNull("labels");
        return new Answers(
                labels == null ? List.of() : labels,
                "multi_label_classification".equals(record.stringOrNull("problem_type")));
    }
}
