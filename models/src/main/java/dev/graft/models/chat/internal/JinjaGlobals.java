package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Function;
import dev.graft.models.chat.internal.TemplateValues.Namespace;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Functions that every chat template has. */
final class JinjaGlobals {

    private final Map<String, Function> functions;

    JinjaGlobals(Supplier<LocalDateTime> clock) {
        functions = Map.of(
                "range",
                        new Function("range", (positional, named) -> {
                            requireNoNames("range", named);
                            return PythonSequences.range(positional);
                        }),
                "namespace", new Function("namespace", (positional, named) -> namespace(positional, named)),
                "dict", new Function("dict", (positional, named) -> merged("dict", positional, named)),
                "raise_exception",
                        new Function("raise_exception", (positional, named) -> {
                            CallArguments arguments = new CallArguments("raise_exception", positional, named);
                            throw new TemplateError("the template refuses the conversation: "
                                    + PythonRepr.str(arguments.require("message")));
                        }),
                "strftime_now",
                        new Function("strftime_now", (positional, named) -> {
                            CallArguments arguments = new CallArguments("strftime_now", positional, named);
                            return time(clock.get(), arguments.string("format"));
                        }));
    }

    @Nullable
    Function get(String name) {
        return functions.get(name);
    }

    private static void requireNoNames(String function, Map<String, @Nullable Object> named) {
        if (!named.isEmpty()) {
            throw new TemplateError(function + " takes no named arguments");
        }
    }

    private static Namespace namespace(List<@Nullable Object> positional, Map<String, @Nullable Object> named) {
        Map<String, @Nullable Object> attributes = new LinkedHashMap<>();
        merged("namespace", positional, named).forEach((key, value) -> {
            if (!(key instanceof String name)) {
                throw new TemplateError("an attribute of a namespace is a str, not " + TemplateValues.type(key));
            }
            if (name.startsWith("_")) {
                throw new TemplateError("cannot store the underscore-prefixed attribute " + name + " on a namespace");
            }
            attributes.put(name, value);
        });
        return new Namespace(attributes);
    }

    private static Map<@Nullable Object, @Nullable Object> merged(
            String function, List<@Nullable Object> positional, Map<String, @Nullable Object> named) {
        Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
        for (Object argument : positional) {
            TemplateValues.requireDefined(argument);
            if (positional.size() > 1) {
                throw new TemplateError(function + " takes one positional argument, not " + positional.size());
            }
            if (argument instanceof Map<?, ?> other) {
                map.putAll(other);
            } else {
                for (Object pair : PythonSequences.items(argument)) {
                    List<@Nullable Object> both = PythonSequences.items(pair);
                    if (both.size() != 2) {
                        throw new TemplateError(function + " of items that are not pairs");
                    }
                    map.put(DictKeys.of(both.get(0)), both.get(1));
                }
            }
        }
        map.putAll(named);
        return map;
    }

    private static String time(LocalDateTime now, String format) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            char directive = ++i < format.length() ? format.charAt(i) : ' ';
            String pattern = switch (directive) {
                case 'd' -> "dd";
                case 'b' -> "MMM";
                case 'B' -> "MMMM";
                case 'm' -> "MM";
                case 'Y' -> "uuuu";
                case 'y' -> "uu";
                case 'H' -> "HH";
                case 'I' -> "hh";
                case 'M' -> "mm";
                case 'S' -> "ss";
                case 'p' -> "a";
                case 'a' -> "EEE";
                case 'A' -> "EEEE";
                case 'j' -> "DDD";
                case '%' -> "'%'";
                default ->
                    throw new TemplateError("strftime_now has %" + directive
                            + ", known are %d %b %B %m %Y %y %H %I %M %S %p %a %A %j %%");
            };
            out.append(DateTimeFormatter.ofPattern(pattern, Locale.US).format(now));
        }
        return out.toString();
    }
}
