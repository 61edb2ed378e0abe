package dev.graft.models.chat.internal;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The parsed template. Every node knows its line. */
sealed interface Node {

    int line();

    /** A node that prints text or has an effect. */
    sealed interface Statement extends Node {}

    /** A node with a value. */
    sealed interface Expression extends Node {}

    /** The target of an assignment: a name, {@code namespace.name}, or a tuple of names. */
    sealed interface Target {}

    record Data(int line, String text) implements Statement {}

    record Output(int line, Expression value) implements Statement {}

    record If(int line, List<Branch> branches, List<Statement> otherwise) implements Statement {}

    record Branch(Expression condition, List<Statement> body) {}

    record For(
            int line,
            Target target,
            Expression over,
            @Nullable Expression filter,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    record Set(int line, Target target, Expression value) implements Statement {}

    /** {@code {% set x | filter %}...{% endset %}}; the filters are applied to {@link Captured}. */
    record SetBlock(int line, Target target, List<Statement> body, Expression value) implements Statement {}

    record Macro(int line, String name, List<Parameter> parameters, List<Statement> body) implements Statement {}

    record CallBlock(int line, List<Parameter> parameters, Call call, List<Statement> body) implements Statement {}

    /** {@code {% generation %}}: the text that the assistant writes. */
    record Generation(int line, List<Statement> body) implements Statement {}

    record Break(int line) implements Statement {}

    record Continue(int line) implements Statement {}

    record Parameter(String name, @Nullable Expression fallback) {}

    record Name(int line, String name) implements Expression, Target {}

    record NamespaceName(int line, String namespace, String attribute) implements Target {}

    record Targets(List<Target> items) implements Target {}

    record Constant(int line, @Nullable Object value) implements Expression {}

    /** The text that a block captured. */
    record Captured(int line) implements Expression {}

    record ListLiteral(int line, List<Expression> items) implements Expression {}

    record TupleLiteral(int line, List<Expression> items) implements Expression {}

    record DictLiteral(int line, List<Expression> keys, List<Expression> values) implements Expression {}

    record Attribute(int line, Expression of, String name) implements Expression {}

    record Item(int line, Expression of, Expression key) implements Expression {}

    record Slice(
            int line,
            Expression of,
            @Nullable Expression from,
            @Nullable Expression to,
            @Nullable Expression step) implements Expression {}

    record Call(int line, Expression callee, Arguments arguments) implements Expression {}

    record Filter(int line, Expression value, String name, Arguments arguments) implements Expression {}

    record Test(int line, Expression value, String name, Arguments arguments, boolean negated) implements Expression {}

    record Arguments(List<Expression> positional, List<Named> named) {
        static final Arguments NONE = new Arguments(List.of(), List.of());
    }

    record Named(String name, Expression value) {}

    record Unary(int line, String operator, Expression value) implements Expression {}

    record Binary(int line, String operator, Expression left, Expression right) implements Expression {}

    record And(int line, Expression left, Expression right) implements Expression {}

    record Or(int line, Expression left, Expression right) implements Expression {}

    /** {@code a < b <= c}. */
    record Comparison(int line, Expression first, List<Operand> rest) implements Expression {}

    record Operand(String operator, Expression value) {}

    record Concat(int line, List<Expression> parts) implements Expression {}

    record Conditional(
            int line,
            Expression condition,
            Expression value,
            @Nullable Expression otherwise) implements Expression {}
}
