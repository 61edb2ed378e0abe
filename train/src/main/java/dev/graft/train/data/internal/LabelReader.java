package dev.graft.train.data.internal;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.train.data.Label;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads the label of a row, of the data set's kind. */
record LabelReader(Label.Kind kind, boolean textOnly) {
    private static final Pattern WHOLE = Pattern.compile("-?(0|[1-9][0-9]*)");
    private static final Pattern FRACTION = Pattern.compile(
            "-?((0|[1-9][0-9]*)\\.[0-9]*|\\.[0-9]+|(0|[1-9][0-9]*)(?=[eE]))([eE][-+]?[0-9]+)?|-?inf(inity)?",
            Pattern.CASE_INSENSITIVE);

    static boolean isWhole(String text) {
        return WHOLE.matcher(text).matches();
    }

    static boolean isFraction(String text) {
        return FRACTION.matcher(text).matches();
    }

    /** Codes such as 007 are no numbers. */
    static boolean isNumber(String text) {
        return isWhole(text) || isFraction(text) || text.equalsIgnoreCase("nan");
    }

    /** Returns whether an answer is good: true or false, 1 or 0, also as texts; null for anything else. */
    static @Nullable Boolean judgement(JsonNode label) {
        return switch (label.asString("").strip().toLowerCase(Locale.ROOT)) {
            case "true", "1", "1.0" -> true;
            case "false", "0", "0.0" -> false;
            default -> null;
        };
    }

    Label read(JsonNode value, String place) {
        if (value.isNull() || value.isMissingNode()) {
            throw new InputException(place + ": the label is missing; remove the row or give it one");
        }
        return switch (kind) {
            case ONE -> new Label.One(name(value, place));
            case MANY -> many(value, place);
            case EACH -> each(value, place);
            case SCORE -> new Label.Score(score(value, place));
        };
    }

    private Label many(JsonNode value, String place) {
        if (!value.isArray()) {
            throw new InputException(
                    place + ": the label is " + Json.compact(value) + ", but the labels of this file are lists");
        }
        List<String> names = new ArrayList<>();
        for (JsonNode element : value.values()) {
            String name = name(element, place);
            if (names.contains(name)) {
                throw new InputException(place + ": the label " + name + " appears twice in " + Json.compact(value)
                        + "; a list names the classes of the row, it is no vector of zeros and ones: give the class's"
                        + " number or name, or the list of those that the row has");
            }
            names.add(name);
        }
        return new Label.Many(names);
    }

    private Label each(JsonNode value, String place) {
        if (!value.isArray()) {
            throw new InputException(place + ": the tags are " + Json.compact(value) + ", expected a list, one a word");
        }
        List<String> names = new ArrayList<>();
        value.values().forEach(element -> names.add(name(element, place)));
        return new Label.Each(names);
    }

    private String name(JsonNode value, String place) {
        if (value.isString()) {
            String text = value.stringValue();
            String plain = text.strip();
            if (plain.isEmpty() || textOnly && plain.equalsIgnoreCase("nan")) {
                throw new InputException(
                        place + ": the label is " + (plain.isEmpty() ? "empty" : plain + ", a missing value")
                                + "; remove the row or give it one");
            }
            if (!textOnly) {
                return text;
            }
            return isWhole(plain) ? notNegative(plain, place) : plain;
        }
        if (value.isIntegralNumber()) {
            return notNegative(value.asString(), place);
        }
        if (value.isBoolean()) {
            return value.asString();
        }
        if (value.isNumber()) {
            double number = value.doubleValue();
            if (number == Math.rint(number) && Math.abs(number) < 1e15) {
                return notNegative(Long.toString((long) number), place);
            }
            throw new InputException(
                    place + ": the label " + number + " is no class: expected a string or a whole number"
                            + (Double.isNaN(number) ? "" : "; for regression set labels to score"));
        }
        throw new InputException(place + ": the label is " + Json.compact(value)
                + ", expected a string, a number or a list of them, the same kind in every row");
    }

    private static String notNegative(String number, String place) {
        if (number.startsWith("-")) {
            throw new InputException(place + ": the label is " + number
                    + "; negative classes usually mark rows without a label: remove them, for regression set"
                    + " labels to score");
        }
        return number;
    }

    private double score(JsonNode value, String place) {
        double score;
        if (value.isNumber()) {
            score = value.doubleValue();
        } else if (textOnly && value.isString() && isNumber(value.stringValue().strip())) {
            score = number(value.stringValue().strip());
        } else {
            throw new InputException(place + ": the label is " + Json.compact(value)
                    + ", but the labels of this file are numbers to predict");
        }
        if (!Double.isFinite(score) || Math.abs(score) > Float.MAX_VALUE) {
            throw new InputException(place + ": the label is " + score + ", expected a finite number");
        }
        return score;
    }

    private static double number(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (lower.endsWith("nan")) {
            return Double.NaN;
        }
        return lower.contains("inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(text);
    }
}
