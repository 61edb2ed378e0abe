package dev.graft.eval.tasks;

import dev.graft.formats.InputException;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Rows;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The classes of labelled rows. */
final class ClassLabels {
    private ClassLabels() {}

    /**
     * The classes that rows name; none for numbers to predict.
     *
     * @throws InputException if there is nothing to tell apart
     */
    static Labels of(Rows rows, Label.@Nullable Kind kind) {
        Labels labels = kind == Label.Kind.SCORE ? TaskRows.NO_LABELS : Labels.of(rows);
        if (kind == Label.Kind.ONE && labels.size() < 2) {
            throw new InputException(rows.place(0) + ": every row has the label "
                    + labels.names().get(0) + ", so there is nothing to tell apart");
        }
        boolean all = rows.labelCounts().values().stream().allMatch(count -> count == rows.size());
        if (kind == Label.Kind.MANY && all && labels.size() > 0) {
            throw new InputException(rows.place(0) + ": every row has all the labels "
                    + labels.names() + ", so there is nothing to tell apart"
                    + (labels.names().equals(List.of("0", "1"))
                            ? "; a list names the classes of its row, it is no vector of zeros and ones: give the"
                                    + " class's number or name, or the list of those that the row has"
                            : ""));
        }
        return labels;
    }

    /** The classes of a model's outputs. Outputs that have numbers for names are meant by rows that have the numbers alone. */
    static Labels ofOutputs(List<String> names, Rows rows) {
        boolean unnamed =
                IntStream.range(0, names.size()).allMatch(i -> names.get(i).equals("LABEL_" + i));
        boolean numbers = rows.labelCounts().keySet().stream().allMatch(label -> label.matches("[0-9]+"));
        Map<Integer, String> ids = new TreeMap<>();
        for (int i = 0; i < names.size(); i++) {
            ids.put(i, unnamed && numbers ? Integer.toString(i) : names.get(i));
        }
        return Labels.fromIds(ids);
    }

    /** The scores of labels of a kind. */
    static Scorer<?> scorer(TaskRows rows) {
        return switch (Objects.requireNonNull(rows.kind())) {
            case ONE -> Scorer.classes(rows.labels().size());
            case MANY -> Scorer.labelSets(rows.labels().size());
            case EACH -> Scorer.tags(rows.labels().names());
            case SCORE -> Scorer.numbers();
        };
    }
}
