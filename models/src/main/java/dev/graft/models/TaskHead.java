package dev.graft.models;

import dev.graft.formats.Fields;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The head of a model for a task.
 *
 * @param labels the names of a classification head's outputs
 */
record TaskHead(Task task, List<String> labels) {
    /**
     * Returns the head that a config.json declares by the class in {@code architectures}.
     *
     * @param tensors the names of the checkpoint's tensors
     */
    static TaskHead declared(Fields config, Architecture architecture, Set<String> tensors) {
        List<String> classes = config.strings("architectures", List.of());
        Task task = classes.isEmpty() ? Task.FEATURE_EXTRACTION : architecture.task(classes.get(0));
        // Encoders of sentences keep the class that they were pretrained as, and their files the encoder alone.
        boolean bare =
                task == Task.MASKED_LM && tensors.stream().noneMatch(name -> name.startsWith(architecture.prefix()));
        return new TaskHead(bare ? Task.FEATURE_EXTRACTION : task, labels(config));
    }

    private static List<String> labels(Fields config) {
        Fields map = config.objectOrNull("id2label");
        if (map == null) {
            int count = config.integer("num_labels", 2, 1);
            List<String> labels = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                labels.add("LABEL_" + i);
            }
            return labels;
        }
        TreeMap<Integer, String> ordered = new TreeMap<>();
        for (String id : map.names()) {
            try {
                ordered.put(Integer.valueOf(id), map.string(id));
            } catch (NumberFormatException notANumber) {
                throw map.invalid(id, "a label's number as key");
            }
        }
        return List.copyOf(ordered.values());
    }

    /**
     * Returns the head that is chosen in place of this one.
     *
     * @param chosen null for this one's task
     * @param names empty for this one's labels
     */
    TaskHead replacedBy(@Nullable Task chosen, List<String> names) {
        Task its = chosen == null ? task : chosen;
        if (its == Task.MULTIPLE_CHOICE) {
            return new TaskHead(its, List.of("LABEL_0"));
        }
        return new TaskHead(its, names.isEmpty() ? labels : names);
    }

    /** Returns whether the tensors of one head have the shapes of the other's. */
    boolean fits(TaskHead other) {
        return task == other.task && labels.size() == other.labels.size();
    }
}
