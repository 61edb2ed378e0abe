package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.View;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Methods of str, dict and list. Methods that only Python has are errors, and so are those that change a value. */
final class PythonMethods {

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

    private PythonMethods() {}

    /** Returns whether Python's type has the method, so that the name refers to it and not to a key. */
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

    static TemplateValues.Function bind(Object value, String name) {
        String shown = TemplateValues.type(value) + "." + name;
        return new TemplateValues.Function(shown, (positional, named) -> {
            CallArguments arguments = new CallArguments(shown, positional, named);
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

    private static Object ofString(String text, String name, CallArguments a) {
        return switch (name) {
            case "strip" -> PythonString.strip(text, a.string("chars", null));
            case "lstrip" -> PythonString.lstrip(text, a.string("chars", null));
            case "rstrip" -> PythonString.rstrip(text, a.string("chars", null));
            case "upper" -> PythonString.upper(text);
            case "lower" -> PythonString.lower(text);
            case "title" -> PythonString.title(text);
            case "capitalize" -> PythonString.capitalize(text);
            case "split" -> PythonString.split(text, a.string("sep", null), a.integer("maxsplit", -1));
            case "rsplit" -> {
                String separator = a.string("sep", null);
                if (separator == null) {
                    throw new TemplateError("rsplit without a separator is not supported");
                }
                yield PythonString.rsplit(text, separator, a.integer("maxsplit", -1));
            }
            case "splitlines" -> PythonString.splitLines(text, a.truth("keepends", false));
            case "partition" -> partition(text, a.string("sep"), false);
            case "rpartition" -> partition(text, a.string("sep"), true);
            case "replace" ->
                PythonString.replace(text, a.string("old"), a.string("new"), (int) a.integer("count", -1));
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
                for (Object item : PythonSequences.items(a.require("iterable"))) {
                    if (!(item instanceof String part)) {
                        throw new TemplateError("str.join of a " + TemplateValues.type(item) + ", expected a str");
                    }
                    parts.add(part);
                }
                yield String.join(text, parts);
            }
            case "format" -> PythonFormat.braces(text, a.rest(), a.restNamed());
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
                        ? PythonString.length(text) + 1L
                        : PythonString.split(text, part, -1).size() - 1L;
            }
            case "isspace" -> !text.isEmpty() && text.codePoints().allMatch(PythonString::isSpace);
            case "isdigit" -> !text.isEmpty() && text.codePoints().allMatch(PythonMethods::isDigit);
            case "isdecimal" -> !text.isEmpty() && text.codePoints().allMatch(Character::isDigit);
            case "isalpha" -> !text.isEmpty() && text.codePoints().allMatch(Character::isLetter);
            case "isupper" ->
                text.codePoints().anyMatch(PythonString::isCased)
                        && text.codePoints().filter(PythonString::isCased).allMatch(Character::isUpperCase);
            case "islower" ->
                text.codePoints().anyMatch(PythonString::isCased)
                        && text.codePoints().filter(PythonString::isCased).allMatch(Character::isLowerCase);
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

    private static Object anyAffix(String text, CallArguments a, boolean prefix) {
        Object wanted = a.require(prefix ? "prefix" : "suffix");
        List<@Nullable Object> all =
                wanted instanceof Tuple tuple ? tuple : java.util.Collections.singletonList(wanted);
        String rest = text;
        if (a.hasNext("start")) {
            rest = PythonRepr.str(PythonSequences.slice(text, a.next("start", null), a.next("end", null), null));
        }
        for (Object affix : all) {
            TemplateValues.requireDefined(affix);
            if (!(affix instanceof String part)) {
                throw new TemplateError(
                        "startswith and endswith take a str or a tuple of str, not " + TemplateValues.type(affix));
            }
            if (prefix ? rest.startsWith(part) : rest.endsWith(part)) {
                return true;
            }
        }
        return false;
    }

    private static @Nullable Object ofDict(Map<?, ?> map, String name, CallArguments a) {
        return switch (name) {
            case "items" -> new View("dict_items", pairs(map));
            case "keys" -> new View("dict_keys", new ArrayList<@Nullable Object>(map.keySet()));
            case "values" -> new View("dict_values", new ArrayList<@Nullable Object>(map.values()));
            case "get" -> {
                Object key = DictKeys.of(a.require("key"));
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

    private static Object ofList(List<?> list, String name, CallArguments a) {
        return switch (name) {
            case "copy" -> new ArrayList<@Nullable Object>(list);
            case "count" -> {
                Object wanted = a.require("value");
                yield list.stream()
                        .filter(item -> PythonOperators.equal(item, wanted))
                        .count();
            }
            case "index" -> {
                Object wanted = a.require("value");
                for (int i = 0; i < list.size(); i++) {
                    if (PythonOperators.equal(list.get(i), wanted)) {
                        yield (long) i;
                    }
                }
                throw new TemplateError("list.index: " + PythonRepr.repr(wanted) + " is not in the list");
            }
            default -> throw new TemplateError("the method list." + name + " is not supported");
        };
    }
}
