package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.Values.Function;
import dev.graft.models.chat.internal.Values.Tuple;
import dev.graft.models.chat.internal.Values.Undefined;
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

    private final Globals globals;
    private String captured = "";

    ExpressionEvaluator(Supplier<LocalDateTime> clock) {
        globals = new Globals(clock);
    }

    @Nullable
    Object withCaptured(String text, Node.Expression expression, Scope scope) {
        String outer = captured;
        captured = text;
        Object value = value(expression, scope);
        captured = outer;
        return value;
    }

    @Nullable
    Object value(Node.Expression expression, Scope scope) {
        try {
            return evaluate(expression, scope);
        } catch (TemplateError e) {
            throw e.at(expression.line());
        }
    }

    private @Nullable Object evaluate(Node.Expression expression, Scope scope) {
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
            return Sequences.slice(
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
            return Operators.truth(left) ? value(and.right(), scope) : left;
        }
        if (expression instanceof Node.Or or) {
            Object left = value(or.left(), scope);
            return Operators.truth(left) ? left : value(or.right(), scope);
        }
        if (expression instanceof Node.Test test) {
            boolean result = Tests.test(
                    value(test.value(), scope),
                    test.name(),
                    values(test.arguments().positional(), scope),
                    named(test.arguments(), scope));
            return result != test.negated();
        }
        if (expression instanceof Node.Filter filter) {
            return Filters.apply(
                    value(filter.value(), scope),
                    filter.name(),
                    values(filter.arguments().positional(), scope),
                    named(filter.arguments(), scope));
        }
        if (expression instanceof Node.Call call) {
            return call(call, scope, Map.of());
        }
        if (expression instanceof Node.Unary unary) {
            return Operators.unary(unary.operator(), value(unary.value(), scope));
        }
        if (expression instanceof Node.Binary binary) {
            return Operators.binary(binary.operator(), value(binary.left(), scope), value(binary.right(), scope));
        }
        if (expression instanceof Node.Conditional conditional) {
            if (Operators.truth(value(conditional.condition(), scope))) {
                return value(conditional.value(), scope);
            }
            Node.Expression otherwise = conditional.otherwise();
            return otherwise == null
                    ? new Undefined("the inline if-expression evaluated to false and no else section was defined")
                    : value(otherwise, scope);
        }
        return built(expression, scope);
    }

    private @Nullable Object built(Node.Expression expression, Scope scope) {
        if (expression instanceof Node.Concat concat) {
            StringBuilder text = new StringBuilder();
            for (Node.Expression part : concat.parts()) {
                text.append(Display.str(value(part, scope)));
                Operators.requireShort(text.length());
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
                    throw new TemplateError("a " + Values.type(key) + " as the key of a dict is not supported");
                }
                map.put(Keys.of(key), value(dict.values().get(i), scope));
            }
            return map;
        }
        return captured; // Node.Captured is all that is left
    }

    private @Nullable Object name(String name, Scope scope) {
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

    private @Nullable Object optional(Node.@Nullable Expression expression, Scope scope) {
        return expression == null ? null : value(expression, scope);
    }

    private List<@Nullable Object> values(List<Node.Expression> expressions, Scope scope) {
        List<@Nullable Object> values = new ArrayList<>(expressions.size());
        for (Node.Expression expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Map<String, @Nullable Object> named(Node.Arguments arguments, Scope scope) {
        Map<String, @Nullable Object> named = new LinkedHashMap<>();
        for (Node.Named argument : arguments.named()) {
            if (named.containsKey(argument.name())) {
                throw new TemplateError("the argument " + argument.name() + " is given twice");
            }
            named.put(argument.name(), value(argument.value(), scope));
        }
        return named;
    }

    private boolean compare(Node.Comparison comparison, Scope scope) {
        Object left = value(comparison.first(), scope);
        for (Node.Operand operand : comparison.rest()) {
            Object right = value(operand.value(), scope);
            if (!Operators.compare(operand.operator(), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    @Nullable
    Object call(Node.Call call, Scope scope, Map<String, Function> extra) {
        Object callee = value(call.callee(), scope);
        Operators.requireDefined(callee);
        if (!(callee instanceof Function function)) {
            throw new TemplateError("a " + Values.type(callee) + " cannot be called");
        }
        Map<String, @Nullable Object> named = named(call.arguments(), scope);
        named.putAll(extra);
        return function.body().call(values(call.arguments().positional(), scope), named);
    }
}
