package dev.graft.train.data;

import dev.graft.formats.InputException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The classes of a data set in a fixed order: integers by value, other names by code points, so that the order depends on the classes
 * alone. Ids are positions in it; {@link #label2id} and {@link #id2label} are those of a model's {@code config.json}.
 */
public final class Labels {
    private static final Comparator<String> BY_VALUE = Comparator.comparing(BigInteger::new);
    private static final Comparator<String> BY_CODE_POINT =
            (a, b) -> Arrays.compareUnsigned(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));

    private final List<String> names;
    private final Map<String, Integer> ids = new LinkedHashMap<>();

    private Labels(List<String> names) {
        this.names = List.copyOf(names);
        for (String name : names) {
            if (ids.put(name, ids.size()) != null) {
                throw new InputException("the label " + name + " appears twice among the labels");
            }
        }
    }

    /** Collects the classes that appear in some rows. */
    public static Labels of(Rows rows) {
        return ofNames(rows.labelCounts().keySet());
    }

    /**
     * Creates labels from class names in any order.
     *
     * @throws InputException if a name appears twice
     */
    public static Labels ofNames(Collection<String> names) {
        boolean numbers = names.stream().allMatch(name -> name.matches("-?[0-9]+"));
        return new Labels(
                names.stream().sorted(numbers ? BY_VALUE : BY_CODE_POINT).toList());
    }

    /**
     * Creates labels from the {@code id2label} of a saved model.
     *
     * @throws InputException if the ids are not 0, 1, 2, ...
     */
    public static Labels fromIds(Map<Integer, String> id2label) {
        TreeMap<Integer, String> sorted = new TreeMap<>(id2label);
        if (!sorted.isEmpty() && (sorted.firstKey() != 0 || sorted.lastKey() != sorted.size() - 1)) {
            throw new InputException(
                    "id2label has the ids " + sorted.keySet() + ", expected 0 to " + (sorted.size() - 1));
        }
        return new Labels(List.copyOf(sorted.values()));
    }

    public int size() {
        return names.size();
    }

    /** Returns all class names; the position is the id. */
    public List<String> names() {
        return names;
    }

    /**
     * Returns the id of a class.
     *
     * @param place the file and line of the label, for the message
     * @throws InputException if there is no such class
     */
    public int id(String name, String place) {
        Integer id = ids.get(name);
        if (id == null) {
            throw new InputException(place + ": the label " + name + " is not one of the " + names.size()
                    + " labels that are trained: " + shown());
        }
        return id;
    }

    /**
     * Converts a label to the target of a model.
     *
     * @throws InputException if there is no such class
     */
    public Target target(Label label, String place) {
        if (label instanceof Label.Score score) {
            return new Target.Score((float) score.value());
        }
        if (label instanceof Label.One one) {
            return new Target.ClassId(id(one.name(), place));
        }
        float[] classes = new float[size()];
        for (String name : label.names()) {
            classes[id(name, place)] = 1;
        }
        return new Target.MultiHot(classes);
    }

    private String shown() {
        int most = 30;
        return String.join(", ", names.subList(0, Math.min(most, names.size()))) + (names.size() > most ? ", ..." : "");
    }

    public Map<String, Integer> label2id() {
        return new LinkedHashMap<>(ids);
    }

    public Map<Integer, String> id2label() {
        Map<Integer, String> labels = new TreeMap<>();
        ids.forEach((name, id) -> labels.put(id, name));
        return labels;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Labels labels && names.equals(labels.names);
    }

    @Override
    public int hashCode() {
        return names.hashCode();
    }

    @Override
    public String toString() {
        return names.toString();
    }
}
