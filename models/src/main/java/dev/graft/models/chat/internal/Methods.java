package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.Values.Tuple;
import dev.graft.models.chat.internal.Values.View;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Methods of str, dict and list. Those that Python has and this has not are errors, and so are those that change a value. */
final class Methods {

    private static final Set<String> STR = Set.of(
            "capitalize",
            "casefold",
            "center",
            "count",
            "encode",
            "endswith",
            "expandtabs",
            "find",
            "format",
            "format_map",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "isidentifier",
            "islower",
            "isnumeric",
            "isprintable",
            "isspace",
            "istitle",
            "isupper",
            "join",
            "ljust",
            "lower",
            "lstrip",
            "maketrans",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rjust",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "translate",
            "upper",
            "zfill");
    private static final Set<String> DICT = Set.of(
            "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values");
    private static final Set<String> LIST =
            Set.of("append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort");
    private static final Set<String> CHANGING = Set.of(
            "append",
            "clear",
            "extend",
            "insert",
            "pop",
            "popitem",
            "remove",
            "reverse",
            "setdefault",
            "sort",
            "update");

    private Methods() {}

    /** Whether Python's type has the method, so that the name means it and not a key. */
    static boolean has(@Nullable Object value, String name) {
        if (value instanceof String) {
            return STR.contains(name);
        }
        if (value instanceof Map) {
            return DICT.contains(name);
        }
        if (value instanceof Tuple) {
            return name.equals("count") || name.equals("index");
        }
        return value instanceof List && LIST.contains(name);
    }

    static Values.Function bind(Object value, String name) {
        String shown = Values.type(value) + "." + name;
        return new Values.Function(shown, (positional, named) -> {
            Arguments arguments = new Arguments(shown, positional, named);
            Object result;
            if (value instanceof String text) {
                result = ofString(text, name, arguments);
            } else if (CHANGING.contains(name)) {
                throw new TemplateError(shown + " changes a value, which templates must not");
            } else if (value instanceof Map<?, ?> map) {
                result = ofDict(map, name, arguments);
            } else {
                result = ofList((List<?>) value, name, arguments);
            }
            arguments.finish();
            return result;
        });
    }

    private static Object ofString(String text, String name, Arguments a) {
        return switch (name) {
            case "strip" -> PyText.strip(text, a.string("chars", null));
            case "lstrip" -> PyText.lstrip(text, a.string("chars", null));
            case "rstrip" -> PyText.rstrip(text, a.string("chars", null));
            case "upper" -> PyText.upper(text);
            case "lower" -> PyText.lower(text);
            case "title" -> PyText.title(text);
            case "capitalize" -> PyText.capitalize(text);
            case "split" -> PyText.split(text, a.string("sep", null), a.integer("maxsplit", -1));
            case "rsplit" -> {
                String separator = a.string("sep", null);
                if (separator == null) {
                    throw new TemplateError("rsplit without a separator is not supported");
                }
                yield PyText.rsplit(text, separator, a.integer("maxsplit", -1));
            }
            case "splitlines" -> PyText.splitLines(text, a.truth("keepends", false));
            case "partition" -> partition(text, a.string("sep"), false);
            case "rpartition" -> partition(text, a.string("sep"), true);
            case "replace" -> PyText.replace(text, a.string("old"), a.string("new"), (int) a.integer("count", -1));
            case "startswith" -> anyAffix(text, a, true);
            case "endswith" -> anyAffix(text, a, false);
            case "removeprefix" -> {
                String prefix = a.string("prefix");
                yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = a.string("suffix");
                yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }
            case "join" -> {
                List<String> parts = new ArrayList<>();
                for (Object item : Sequences.items(a.require("iterable"))) {
                    if (!(item instanceof String part)) {
                        throw new TemplateError("str.join of a " + Values.type(item) + ", expected a str");
                    }
                    parts.add(part);
                }
                yield String.join(text, parts);
            }
            case "format" -> Formats.braces(text, a.rest(), a.restNamed());
            case "find" -> codePoints(text, text.indexOf(a.string("sub")));
            case "rfind" -> codePoints(text, text.lastIndexOf(a.string("sub")));
            case "index" -> {
                String part = a.string("sub");
                if (!text.contains(part)) {
                    throw new TemplateError("str.index: substring not found");
                }
                yield codePoints(text, text.indexOf(part));
            }
            case "count" -> {
                String part = a.string("sub");
                yield part.isEmpty()
                        ? PyText.length(text) + 1L
                        : PyText.split(text, part, -1).size() - 1L;
            }
            case "isspace" -> !text.isEmpty() && text.codePoints().allMatch(PyText::isSpace);
            case "isdigit" -> !text.isEmpty() && text.codePoints().allMatch(Methods::isDigit);
            case "isdecimal" -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit);
            case "isalpha" -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
            case "isupper" ->
                text.codePoints().anyMatch(PyText::isCased)
                        && text.codePoints().filter(PyText::isCased).allMatch(Character::isUpperCase);
            case "islower" ->
                text.codePoints().anyMatch(PyText::isCased)
                        && text.codePoints().filter(PyText::isCased).allMatch(Character::isLowerCase);
            default -> throw new TemplateError("the method str." + name + " is not supported");
        };
    }

    private static boolean isDigit(int c) {
        return Character.isDigit(c)
                || "\u00b2\u00b3\u00b9".indexOf(c) >= 0
                || (c >= 0x2070 && c <= 0x2089 && c != 0x2071);
    }

    private static Object codePoints(String text, int at) {
        return at < 0 ? -1L : (long) text.codePointCount(0, at);
    }

    private static Object partition(String text, String separator, boolean last) {
        if (separator.isEmpty()) {
            throw new TemplateError("partition by an empty separator");
        }
        int at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
        if (at < 0) {
            return new Tuple(last ? List.of("", "", text) : List.of(text, "", ""));
        }
        return new Tuple(List.of(text.substring(0, at), separator, text.substring(at + separator.length())));
    }

    private static Object anyAffix(String text, Arguments a, boolean prefix) {
        Object wanted = a.require(prefix ? "prefix" : "suffix");
        List<@Nullable Object> all =
                wanted instanceof Tuple tuple ? tuple : java.util.Collections.singletonList(wanted);
        String rest = text;
        if (a.hasNext("start")) {
            rest = Display.str(Sequences.slice(text, a.next("start", null), a.next("end", null), null));
        }
        for (Object affix : all) {
            Operators.requireDefined(affix);
            if (!(affix instanceof String part)) {
                throw new TemplateError(
                        "startswith and endswith take a str or a tuple of str, not " + Values.type(affix));
            }
            if (prefix ? rest.startsWith(part) : rest.endsWith(part)) {
                return true;
            }
        }
        return false;
    }

    private static @Nullable Object ofDict(Map<?, ?> map, String name, Arguments a) {
        return switch (name) {
            case "items" -> new View("dict_items", pairs(map));
            case "keys" -> new View("dict_keys", new ArrayList<@Nullable Object>(map.keySet()));
            case "values" -> new View("dict_values", new ArrayList<@Nullable Object>(map.values()));
            case "get" -> {
                Object key = Keys.of(a.require("key"));
                Object absent = a.next("default", null);
                yield map.containsKey(key) ? map.get(key) : absent;
            }
            case "copy" -> new LinkedHashMap<@Nullable Object, @Nullable Object>(map);
            default -> throw new TemplateError("the method dict." + name + " is not supported");
        };
    }

    static List<@Nullable Object> pairs(Map<?, ?> map) {
        List<@Nullable Object> pairs = new ArrayList<>();
        map.forEach((key, value) -> pairs.add(new Tuple(java.util.Arrays.asList(key, value))));
        return pairs;
    }

    private static Object ofList(List<?> list, String name, Arguments a) {
        return switch (name) {
            case "copy" -> new ArrayList<@Nullable Object>(list);
            case "count" -> {
                Object wanted = a.require("value");
                yield list.stream()
                        .filter(item -> Operators.equal(item, wanted))
                        .count();
            }
            case "index" -> {
                Object wanted = a.require("value");
                for (int i = 0; i < list.size(); i++) {
                    if (Operators.equal(list.get(i), wanted)) {
                        yield (long) i;
                    }
                }
                throw new TemplateError("list.index: " + Display.repr(wanted) + " is not in the list");
            }
            default -> throw new TemplateError("the method list." + name + " is not supported");
        };
    }
}
