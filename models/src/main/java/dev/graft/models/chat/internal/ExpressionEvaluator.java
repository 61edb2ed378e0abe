package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Function;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Values of expressions. */
final class ExpressionEvaluator {

    private static final Set<String> UNSUPPORTED_NAMES =
            Set.of("varargs", "kwargs", "cycler", "joiner", "lipsum", "self", "super");

    private final JinjaGlobals globals;
    private String captured = "";

    ExpressionEvaluator(Supplier<LocalDateTime> clock) {
        globals = new JinjaGlobals(clock);
    }

    @Nullable
    Object withCaptured(String text, Node.Expression expression, TemplateScope scope) {
        String outer = captured;
        captured = text;
        Object value = value(expression, scope);
        captured = outer;
        return value;
    }

    @Nullable
    Object value(Node.Expression expression, TemplateScope scope) {
        try {
            return evaluate(expression, scope);
        } catch (TemplateError e) {
            throw e.at(expression.line());
        }
    }

    private @Nullable Object evaluate(Node.Expression expression, TemplateScope scope) {
        if (expression instanceof Node.Constant constant) {
            return constant.value();
        }
        if (expression instanceof Node.Name name) {
            return name(name.name(), scope);
        }
        if (expression instanceof Node.Attribute attribute) {
            return Attributes.attribute(value(attribute.of(), scope), attribute.name());
        }
        if (expression instanceof Node.Item item) {
            return Attributes.item(value(item.of(), scope), value(item.key(), scope));
        }
        if (expression instanceof Node.Slice slice) {
            return PythonSequences.slice(
                    value(slice.of(), scope),
                    optional(slice.from(), scope),
                    optional(slice.to(), scope),
                    optional(slice.step(), scope));
        }
        if (expression instanceof Node.Comparison comparison) {
            return compare(comparison, scope);
        }
        if (expression instanceof Node.And and) {
            Object left = value(and.left(), scope);
            return PythonOperators.truth(left) ? value(and.right(), scope) : left;
        }
        if (expression instanceof Node.Or or) {
            Object left = value(or.left(), scope);
            return PythonOperators.truth(left) ? left : value(or.right(), scope);
        }
        if (expression instanceof Node.Test test) {
            boolean result = JinjaTests.test(
                    value(test.value(), scope),
                    test.name(),
                    values(test.arguments().positional(), scope),
                    named(test.arguments(), scope));
            return result != test.negated();
        }
        if (expression instanceof Node.Filter filter) {
            return JinjaFilters.apply(
                    value(filter.value(), scope),
                    filter.name(),
                    values(filter.arguments().positional(), scope),
                    named(filter.arguments(), scope));
        }
        if (expression instanceof Node.Call call) {
            return call(call, scope, Map.of());
        }
        if (expression instanceof Node.Unary unary) {
            return PythonOperators.unary(unary.operator(), value(unary.value(), scope));
        }
        if (expression instanceof Node.Binary binary) {
            return PythonOperators.binary(binary.operator(), value(binary.left(), scope), value(binary.right(), scope));
        }
        if (expression instanceof Node.Conditional conditional) {
            if (PythonOperators.truth(value(conditional.condition(), scope))) {
                return value(conditional.value(), scope);
            }
            Node.Expression otherwise = conditional.otherwise();
            return otherwise == null
                    ? new Undefined("the inline if-expression evaluated to false and no else section was defined")
                    : value(otherwise, scope);
        }
        return built(expression, scope);
    }

    private @Nullable Object built(Node.Expression expression, TemplateScope scope) {
        if (expression instanceof Node.Concat concat) {
            StringBuilder text = new StringBuilder();
            for (Node.Expression part : concat.parts()) {
                text.append(PythonRepr.str(value(part, scope)));
                PythonOperators.requireShort(text.length());
            }
            return text.toString();
        }
        if (expression instanceof Node.ListLiteral list) {
            return values(list.items(), scope);
        }
        if (expression instanceof Node.TupleLiteral tuple) {
            return new Tuple(values(tuple.items(), scope));
        }
        if (expression instanceof Node.DictLiteral dict) {
            Map<@Nullable Object, @Nullable Object> map = new LinkedHashMap<>();
            for (int i = 0; i < dict.keys().size(); i++) {
                Object key = value(dict.keys().get(i), scope);
                if (key instanceof Boolean || key instanceof Double) {
                    throw new TemplateError("a " + TemplateValues.type(key) + " as the key of a dict is not supported");
                }
                map.put(DictKeys.of(key), value(dict.values().get(i), scope));
            }
            return map;
        }
        return captured; // Node.Captured is all that is left
    }

    private @Nullable Object name(String name, TemplateScope scope) {
        if (scope.has(name)) {
            return scope.get(name);
        }
        Function global = globals.get(name);
        if (global != null) {
            return global;
        }
        if (UNSUPPORTED_NAMES.contains(name)) {
            throw new TemplateError("'" + name + "' is not supported");
        }
        return new Undefined("'" + name + "' is undefined");
    }

    private @Nullable Object optional(Node.@Nullable Expression expression, TemplateScope scope) {
        return expression == null ? null : value(expression, scope);
    }

    private List<@Nullable Object> values(List<Node.Expression> expressions, TemplateScope scope) {
        List<@Nullable Object> values = new ArrayList<>(expressions.size());
        for (Node.Expression expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Map<String, @Nullable Object> named(Node.Arguments arguments, TemplateScope scope) {
        Map<String, @Nullable Object> named = new LinkedHashMap<>();
        for (Node.Named argument : arguments.named()) {
            if (named.containsKey(argument.name())) {
                throw new TemplateError("the argument " + argument.name() + " is given twice");
            }
            named.put(argument.name(), value(argument.value(), scope));
        }
        return named;
    }

    private boolean compare(Node.Comparison comparison, TemplateScope scope) {
        Object left = value(comparison.first(), scope);
        for (Node.Operand operand : comparison.rest()) {
            Object right = value(operand.value(), scope);
            if (!PythonOperators.compare(operand.operator(), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    @Nullable
    Object call(Node.Call call, TemplateScope scope, Map<String, Function> extra) {
        Object callee = value(call.callee(), scope);
        TemplateValues.requireDefined(callee);
        if (!(callee instanceof Function function)) {
            throw new TemplateError("a " + TemplateValues.type(callee) + " cannot be called");
        }
        Map<String, @Nullable Object> named = named(call.arguments(), scope);
        named.putAll(extra);
        return function.body().call(values(call.arguments().positional(), scope), named);
    }
}
