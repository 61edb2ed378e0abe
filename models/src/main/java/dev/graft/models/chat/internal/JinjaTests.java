package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Function;
import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The tests: names that may follow {@code is}. */
final class JinjaTests {

    private static final Map<String, String> COMPARISONS = Map.ofEntries(
            Map.entry("eq", "=="),
            Map.entry("equalto", "=="),
            Map.entry("ne", "!="),
            Map.entry("lt", "<"),
            Map.entry("lessthan", "<"),
            Map.entry("le", "<="),
            Map.entry("gt", ">"),
            Map.entry("greaterthan", ">"),
            Map.entry("ge", ">="),
            Map.entry("in", "in"),
            Map.entry("==", "=="),
            Map.entry("!=", "!="),
            Map.entry("<", "<"),
            Map.entry("<=", "<="),
            Map.entry(">", ">"),
            Map.entry(">=", ">="));

    private JinjaTests() {}

    static boolean test(
            @Nullable Object value,
            String name,
            List<@Nullable Object> positional,
            Map<String, @Nullable Object> named) {
        CallArguments arguments = new CallArguments("the test " + name, positional, named);
        String comparison = COMPARISONS.get(name);
        boolean result = comparison != null
                ? PythonOperators.compare(comparison, value, arguments.require("other"))
                : plain(value, name, arguments);
        arguments.finish();
        return result;
    }

    private static boolean plain(@Nullable Object value, String name, CallArguments arguments) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "boolean" -> value instanceof Boolean;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "string" -> value instanceof String || value instanceof Markup;
            case "mapping" -> value instanceof Map;
            case "number" -> TemplateValues.isNumber(value);
            case "integer" -> value instanceof Long || value instanceof BigInteger;
            case "float" -> value instanceof Double;
            case "iterable" -> PythonSequences.isIterable(value) || value instanceof Markup;
            case "sequence" ->
                value instanceof String
                        || value instanceof List
                        || value instanceof Map
                        || value instanceof Undefined
                        || value instanceof Markup;
            case "callable" -> value instanceof Function;
            case "odd" -> remainder(value, 2).equals(1L);
            case "even" -> remainder(value, 2).equals(0L);
            case "divisibleby" ->
                PythonOperators.equal(PythonOperators.binary("%", value, arguments.require("num")), 0L);
            case "lower" ->
                PythonRepr.str(value).codePoints().anyMatch(PythonString::isCased)
                        && PythonRepr.str(value)
                                .codePoints()
                                .filter(PythonString::isCased)
                                .allMatch(Character::isLowerCase);
            case "upper" ->
                PythonRepr.str(value).codePoints().anyMatch(PythonString::isCased)
                        && PythonRepr.str(value)
                                .codePoints()
                                .filter(PythonString::isCased)
                                .allMatch(Character::isUpperCase);
            default -> throw new TemplateError("the test '" + name + "' is not supported");
        };
    }

    private static Object remainder(@Nullable Object value, long by) {
        return PythonOperators.binary("%", value, by);
    }
}
