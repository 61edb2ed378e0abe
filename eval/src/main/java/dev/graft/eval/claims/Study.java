package dev.graft.eval.claims;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * One comparison of methods on one task.
 *
 * @param name of its folder
 * @param data the rows to train on, by the name of a data set or of a suite
 * @param twin whether they are a suite's twin, whose rows are generated
 * @param elsewhere data sets whose test rows are scored beside the own, by the names of what comes of them
 * @param shots training rows of each class; 0 for as many as there may be
 * @param steps of training
 * @param methods beside the frozen base and full fine-tuning
 */
public record Study(
        String name,
        String data,
        boolean twin,
        Map<String, String> elsewhere,
        int shots,
        int steps,
        List<String> methods) {
    public Study {
        elsewhere = new LinkedHashMap<>(elsewhere);
        methods = List.copyOf(methods);
    }

    Study(String name, String data, int steps, String... methods) {
        this(name, data, false, Map.of(), 0, steps, List.of(methods));
    }

    /** The names of all that comes of it, its own first. */
    public List<String> names() {
        return Stream.concat(Stream.of(name), elsewhere.keySet().stream()).toList();
    }

    static Study ofTwin(String name, String suite, int steps, String... methods) {
        return new Study(name, suite, true, Map.of(), 0, steps, List.of(methods));
    }
}
