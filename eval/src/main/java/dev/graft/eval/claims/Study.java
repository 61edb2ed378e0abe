package dev.graft.eval.claims;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A comparison of methods on one task.
 *
 * @param name the name of its folder
 * @param data the training rows, by the name of a data set or of a suite
 * @param twin true for a suite's twin, whose rows are generated
 * @param transferSets further data sets whose test rows are scored, by the names of their results
 * @param shots training rows of each class; 0 for no limit
 * @param steps training steps
 * @param methods the methods to compare, besides the frozen base and full fine-tuning
 */
public record Study(
        String name,
        String data,
        boolean twin,
        Map<String, String> transferSets,
        int shots,
        int steps,
        List<String> methods) {
    public Study {
        transferSets = new LinkedHashMap<>(transferSets);
        methods = List.copyOf(methods);
    }

    Study(String name, String data, int steps, String... methods) {
        this(name, data, false, Map.of(), 0, steps, List.of(methods));
    }

    /** Returns the names of all its results, its own first. */
    public List<String> names() {
        return Stream.concat(Stream.of(name), transferSets.keySet().stream()).toList();
    }

    static Study ofTwin(String name, String suite, int steps, String... methods) {
        return new Study(name, suite, true, Map.of(), 0, steps, List.of(methods));
    }
}
