package dev.graft.models.chat.internal;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The plain forms of {@code "%s" % x} and {@code "{}".format(x)}; widths, precisions and other conversions are
 * rejected.
 */
final class PythonFormat {

    private PythonFormat() {}

    static String percent(String format, List<? extends @Nullable Object> arguments) {
        StringBuilder out = new StringBuilder();
        int used = 0;
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            char conversion = ++i < format.length() ? format.charAt(i) : ' ';
            if (conversion == '%') {
                out.append('%');
                continue;
            }
            if ("srdi".indexOf(conversion) < 0) {
                throw new TemplateError(
                        "the format '%" + conversion + "' is not supported; known are %s, %r, %d, %i, %%");
            }
            if (used == arguments.size()) {
                throw new TemplateError("not enough arguments for the format \"" + format + "\"");
            }
            Object argument = arguments.get(used++);
            if (conversion == 's' || conversion == 'r') {
                out.append(conversion == 's' ? PythonRepr.str(argument) : PythonRepr.repr(argument));
            } else if (argument != null && TemplateValues.isNumber(argument) && !(argument instanceof Double)) {
                out.append(argument instanceof Boolean truth ? (truth ? 1 : 0) : argument);
            } else {
                throw new TemplateError("the format '%" + conversion + "' of a " + TemplateValues.type(argument));
            }
        }
        if (used < arguments.size()) {
            throw new TemplateError("too many arguments for the format \"" + format + "\"");
        }
        return out.toString();
    }

    static String braces(String format, List<@Nullable Object> positional, Map<String, @Nullable Object> named) {
        StringBuilder out = new StringBuilder();
        int automatic = 0;
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if ((c == '{' || c == '}') && i + 1 < format.length() && format.charAt(i + 1) == c) {
                out.append(c);
                i++;
            } else if (c == '{') {
                int end = format.indexOf('}', i);
                String field = end < 0 ? "" : format.substring(i + 1, end);
                if (end < 0 || !field.matches("\\w*")) {
                    throw new TemplateError(
                            "the format field in \"" + format + "\" is not supported; known are {}, {0} and {name}");
                }
                if (field.isEmpty() || Character.isDigit(field.charAt(0))) {
                    int index = field.isEmpty() ? automatic++ : Integer.parseInt(field);
                    if (index >= positional.size()) {
                        throw new TemplateError("the format \"" + format + "\" has no argument " + index);
                    }
                    out.append(PythonRepr.str(positional.get(index)));
                } else if (named.containsKey(field)) {
                    out.append(PythonRepr.str(named.get(field)));
                } else {
                    throw new TemplateError("the format \"" + format + "\" has no argument " + field);
                }
                i = end;
            } else if (c == '}') {
                throw new TemplateError("a single '}' in the format \"" + format + "\"");
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }
}
