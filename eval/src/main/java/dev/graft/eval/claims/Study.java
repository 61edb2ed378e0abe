package dev.graft.eval.claims;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One comparison of methods on one task.
 *
 * @param name of its folder
 * @param data the rows to train on, by the name of a data set or {@code glue/TASK} of the twin
 * @param shifted the data set whose test rows are scored instead of the own ones; null for the own
 * @param shots training rows of each class; 0 for as many as there may be
 * @param steps of training
 * @param methods beside the frozen base and full fine-tuning
 */
public record Study(String name, String data, @Nullable String shifted, int shots, int steps, List<String> methods) {
    public Study {
        methods = List.copyOf(methods);
    }

    Study(String name, String data, int steps, String... methods) {
        this(name, data, null, 0, steps, List.of(methods));
    }

    /** Whether its rows are generated. */
    public boolean isTwin() {
        return data.startsWith("glue/");
    }
}
