package dev.graft.parity;

import dev.graft.formats.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** Equality of configurations: lists of module names are compared as sets, and a single layer equals a list of one. */
final class ConfigComparison {
    private static final Set<String> SETS = Set.of("target_modules", "exclude_modules", "modules_to_save");

    private static final Set<String> LISTS = Set.of("layers_to_transform", "layers_pattern");

    private ConfigComparison() {}

    /** Compares the fields that either has, but for these. */
    static void compare(CaseCheck check, String what, JsonNode got, JsonNode expected, Set<String> except) {
        TreeSet<String> names = new TreeSet<>(expected.propertyNames());
        names.addAll(got.propertyNames());
        names.removeAll(except);
        for (String name : names) {
            if (!got.has(name) || !expected.has(name)) {
                check.that(false, what + (got.has(name) ? " has " : " lacks ") + name);
            } else {
                check.same(what + " " + name, plain(name, got.get(name)), plain(name, expected.get(name)));
            }
        }
    }

    private static String plain(String name, JsonNode value) {
        if (value.isArray() && SETS.contains(name)) {
            return sorted(value).toString();
        }
        return LISTS.contains(name) && !value.isArray() && !value.isNull()
                ? List.of(text(value)).toString()
                : text(value);
    }

    private static List<String> sorted(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(element -> texts.add(text(element)));
        return texts.stream().distinct().sorted().toList();
    }

    /** 6 and 6.0 are one number. */
    private static String text(JsonNode value) {
        if (value.isNumber()) {
            return Double.toString(value.doubleValue());
        }
        if (value.isArray()) {
            List<String> texts = new ArrayList<>();
            value.forEach(element -> texts.add(text(element)));
            return texts.toString();
        }
        if (value.isObject()) {
            StringBuilder text = new StringBuilder("{");
            value.propertyStream()
                    .sorted(java.util.Map.Entry.comparingByKey())
                    .forEach(entry -> text.append(entry.getKey())
                            .append(": ")
                            .append(text(entry.getValue()))
                            .append(", "));
            return text.append('}').toString();
        }
        return Json.compact(value);
    }
}
