package dev.graft.models;

import dev.graft.formats.Fields;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;

/**
 * What a config.json says of its model's head.
 *
 * @param task of the class in {@code architectures}
 * @param labels the names of a classification head's outputs
 */
record DeclaredHead(Task task, List<String> labels) {
    /** @param tensors the names of the checkpoint's tensors */
    static DeclaredHead of(Fields config, Architecture architecture, Set<String> tensors) {
        List<String> classes = config.strings("architectures", List.of());
        Task task = classes.isEmpty() ? Task.FEATURE_EXTRACTION : architecture.task(classes.get(0));
        // Encoders of sentences keep the class that they were pretrained as, and their files the encoder alone.
        boolean bare =
                task == Task.MASKED_LM && tensors.stream().noneMatch(name -> name.startsWith(architecture.prefix()));
        return new DeclaredHead(bare ? Task.FEATURE_EXTRACTION : task, labels(config));
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
                throw map.wrong(id, "a label's number as key");
            }
        }
        return List.copyOf(ordered.values());
    }
}
