package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads the choices of a row: a list, a list with names ({@code {"text": [...], "label": ["A", ...]}}), or numbered columns.
 */
record ChoiceReader(List<String> choices, List<String> names) {
    private static final Pattern NUMBERED = Pattern.compile("((?:ending|choice|option)_?)([01])");

    /** The first of several columns such as {@code ending0}, {@code ending1}; null without them. */
    static @Nullable String firstColumn(Collection<String> keys) {
        for (String key : keys) {
            Matcher matcher = NUMBERED.matcher(key);
            if (matcher.matches() && keys.contains(matcher.group(1) + (Integer.parseInt(matcher.group(2)) + 1))) {
                return key;
            }
        }
        return null;
    }

    static boolean isIn(ObjectNode row, String key) {
        return NUMBERED.matcher(key).matches()
                || row.path(key).isArray()
                || row.path(key).path("text").isArray();
    }

    /** Returns whether a key is one of the columns that begin with another. */
    static boolean isColumn(String key, String first) {
        Matcher matcher = NUMBERED.matcher(first);
        return matcher.matches() && key.matches(Pattern.quote(matcher.group(1)) + "[0-9]+");
    }

    static ChoiceReader read(ObjectNode row, String key, String place) {
        List<String> choices = new ArrayList<>();
        Matcher numbered = NUMBERED.matcher(key);
        JsonNode named = row.path(key);
        List<String> names = new ArrayList<>();
        if (numbered.matches()) {
            for (int i = Integer.parseInt(numbered.group(2)); row.has(numbered.group(1) + i); i++) {
                String column = numbered.group(1) + i;
                choices.add(JsonFields.string(row.path(column), column, place, false));
            }
        } else {
            JsonNode list = named.isObject() ? named.path("text") : named;
            if (!list.isArray()) {
                throw new InputException(
                        place + ": \"" + key + "\" is " + JsonFields.shortened(named) + ", expected a list of texts");
            }
            list.values().forEach(choice -> choices.add(JsonFields.string(choice, key, place, false)));
            named.path("label").forEach(name -> names.add(name.asString("")));
        }
        if (choices.size() < 2) {
            throw new InputException(place + ": there are " + choices.size() + " choices, expected 2 or more");
        }
        return new ChoiceReader(choices, names);
    }

    /** The number of the right choice, given by its number from 0, its name, or a letter from A. */
    int correct(JsonNode value, String key, String place) {
        String text =
                value.isIntegralNumber() || value.isString() ? value.asString().strip() : "";
        int number = names.indexOf(text);
        if (number < 0 && text.matches("[0-9]{1,4}")) {
            number = Integer.parseInt(text);
        } else if (number < 0 && text.matches("[A-Z]")) {
            number = text.charAt(0) - 'A';
        }
        if (number < 0 || number >= choices.size()) {
            throw new InputException(place + ": \"" + key + "\" is " + JsonFields.shortened(value)
                    + ", expected the number of a choice from 0 to " + (choices.size() - 1) + ", or its letter");
        }
        return number;
    }
}
