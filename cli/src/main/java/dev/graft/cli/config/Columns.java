package dev.graft.cli.config;

import dev.graft.formats.InputException;
import dev.graft.train.data.RowShape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Fields of a file by the parts of a row that they are: {@code {prompt: question, completion: answer}}. */
public final class Columns {
    /** What a field of a row can be. */
    private static final Set<String> PARTS = Arrays.stream(RowShape.values())
            .flatMap(shape -> Stream.concat(shape.keys().stream(), shape.optional().stream()))
            .collect(Collectors.toCollection(TreeSet::new));

    private Columns() {}

    /**
     * The fields that an option gives as YAML.
     *
     * @param option for messages
     */
    public static Map<String, String> read(String option, String text) {
        Object columns = new ValueType.Options().read(Yaml.inline(option, text));
        if (!(columns instanceof Map<?, ?> map)) {
            throw new InputException(option + " is " + InputException.shown(text)
                    + ", expected fields by the names that rows have here, such as {prompt: question, completion:"
                    + " answer}");
        }
        return checked(option, map);
    }

    /** The same of values that have been read. */
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
