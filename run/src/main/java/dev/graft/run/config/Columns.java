package dev.graft.run.config;

import dev.graft.formats.InputException;
import dev.graft.train.data.RowShape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Parses mappings from the parts of a row to columns of a file: {@code {prompt: question, completion: answer}}. */
public final class Columns {
    /** The parts of a row that a field can fill. */
    private static final Set<String> PARTS = Arrays.stream(RowShape.values())
            .flatMap(shape -> Stream.concat(shape.keys().stream(), shape.optional().stream()))
            .collect(Collectors.toCollection(TreeSet::new));

    private Columns() {}

    /**
     * Parses a mapping in YAML.
     *
     * @param option the name of the option, for messages
     * @throws InputException if it is no mapping of parts to columns
     */
    public static Map<String, String> read(String option, String text) {
        Object columns = new ValueType.Options().read(Yaml.inline(option, text));
        if (!(columns instanceof Map<?, ?> map)) {
            throw new InputException(option + " is " + InputException.quote(text)
                    + ", expected fields by the names that rows have here, such as {prompt: question, completion:"
                    + " answer}");
        }
        return checked(option, map);
    }

    /**
     * Checks a parsed mapping.
     *
     * @param option the name of the option, for messages
     * @throws InputException if a part is unknown or a column isn't text
     */
    public static Map<String, String> checked(String option, Map<?, ?> columns) {
        Map<String, String> fields = new LinkedHashMap<>();
        columns.forEach((part, field) -> {
            if (!(field instanceof String name)) {
                throw new InputException(option + " maps " + part + " to " + field
                        + ", expected the name of a field, such as {prompt: question, completion: answer}");
            }
            if (!PARTS.contains(part)) {
                throw new InputException(option + " maps " + part + ", expected one of " + PARTS);
            }
            fields.put(part.toString(), name);
        });
        return fields;
    }
}
