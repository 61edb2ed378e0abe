package dev.graft.peft;

import dev.graft.formats.Fields;
import java.util.List;

/**
 * The labels that an adapter was trained on, as described in its folder.
 *
 * @param labels the names of a classifier's outputs; empty if unknown
 * @param multiLabel whether each label is decided alone, so a text may have several or none
 */
public record LabelSpace(List<String> labels, boolean multiLabel) {
    /** Unknown labels. */
    public static final LabelSpace UNKNOWN = new LabelSpace(List.of(), false);

    public LabelSpace {
        labels = List.copyOf(labels);
    }

    static LabelSpace of(Fields record) {
        List<String> labels = record.stringsOrNull("labels");
        return new LabelSpace(
                labels == null ? List.of() : labels,
                "multi_label_classification".equals(record.stringOrNull("problem_type")));
    }
}
