package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateToken.Kind;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Expressions, with the precedence that jinja2's parser has: filters bind tighter than any operator, {@code ~} than {@code +}. */
final class ExpressionParser {

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> NOT_AN_ARGUMENT = Set.of("else", "or", "and");
    private static final Map<String, Object> CONSTANTS =
            Map.of("true", true, "True", true, "false", false, "False", false);

    private final TokenStream tokens;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
    }

    Node.Expression expression() {
        tokens.enter();
        Node.Expression value = conditional();
        tokens.leave();
        return value;
    }

    /** Parses one expression, or several separated by commas as a tuple. */
    Node.Expression tuple() {
        return tuple(true, false);
    }

    Node.Expression tupleWithoutConditional() {
        return tuple(false, false);
    }

    private Node.Expression tuple(boolean conditional, boolean parenthesised) {
        tokens.enter();
        int line = tokens.line();
        List<Node.Expression> items = new ArrayList<>();
        boolean tuple = false;
        while (!endsTuple()) {
            items.add(conditional ? conditional() : or());
            if (!tokens.skipOperator(",")) {
                break;
            }
            tuple = true;
        }
        tokens.leave();
        if (!tuple && items.size() == 1) {
            return items.get(0);
        }
        if (items.isEmpty() && !parenthesised) {
            throw new TemplateError(
                    line, "expected an expression, found " + tokens.peek().shown());
        }
        return new Node.TupleLiteral(line, List.copyOf(items));
    }

    private boolean endsTuple() {
        TemplateToken token = tokens.peek();
        return token.kind() == Kind.VARIABLE_END
                || token.kind() == Kind.BLOCK_END
                || token.isOperator(")")
                || token.isName("recursive");
    }

    private Node.Expression conditional() {
        int line = tokens.line();
        Node.Expression value = or();
        while (tokens.skipName("if")) {
            Node.Expression condition = or();
            Node.Expression otherwise = tokens.skipName("else") ? expression() : null;
            value = new Node.Conditional(line, condition, value, otherwise);
        }
        return value;
    }

    private Node.Expression or() {
        int line = tokens.line();
        Node.Expression left = and();
        while (tokens.skipName("or")) {
            left = new Node.Or(line, left, and());
        }
        return left;
    }

    private Node.Expression and() {
        int line = tokens.line();
        Node.Expression left = not();
        while (tokens.skipName("and")) {
            left = new Node.And(line, left, not());
        }
        return left;
    }

    private Node.Expression not() {
        int line = tokens.line();
        if (!tokens.skipName("not")) {
            return comparison();
        }
        tokens.enter();
        Node.Expression value = new Node.Unary(line, "not", not());
        tokens.leave();
        return value;
    }

    private Node.Expression comparison() {
        int line = tokens.line();
        Node.Expression first = sum();
        List<Node.Operand> rest = new ArrayList<>();
        while (true) {
            TemplateToken token = tokens.peek();
            if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.value())) {
                tokens.next();
                rest.add(new Node.Operand(token.value(), sum()));
            } else if (tokens.skipName("in")) {
                rest.add(new Node.Operand("in", sum()));
            } else if (token.isName("not") && tokens.peekNext().isName("in")) {
                tokens.next();
                tokens.next();
                rest.add(new Node.Operand("not in", sum()));
            } else {
                return rest.isEmpty() ? first : new Node.Comparison(line, first, List.copyOf(rest));
            }
        }
    }

    private Node.Expression sum() {
        int line = tokens.line();
        Node.Expression left = concat();
        while (tokens.peek().isOperator("+") || tokens.peek().isOperator("-")) {
            left = new Node.Binary(line, tokens.next().value(), left, concat());
        }
        return left;
    }

    private Node.Expression concat() {
        int line = tokens.line();
        List<Node.Expression> parts = new ArrayList<>(List.of(product()));
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return parts.size() == 1 ? parts.get(0) : new Node.Concat(line, List.copyOf(parts));
    }

    private Node.Expression product() {
        int line = tokens.line();
        Node.Expression left = power();
        while (tokens.peek().kind() == Kind.OPERATOR
                && Set.of("*", "/", "//", "%").contains(tokens.peek().value())) {
            left = new Node.Binary(line, tokens.next().value(), left, power());
        }
        return left;
    }

    private Node.Expression power() {
        int line = tokens.line();
        Node.Expression left = unary(true);
        while (tokens.skipOperator("**")) {
            left = new Node.Binary(line, "**", left, unary(true));
        }
        return left;
    }

    private Node.Expression unary(boolean withFilters) {
        tokens.enter();
        int line = tokens.line();
        Node.Expression value;
        if (tokens.peek().isOperator("-") || tokens.peek().isOperator("+")) {
            value = new Node.Unary(line, tokens.next().value(), unary(false));
        } else {
            value = primary();
        }
        value = postfix(value);
        tokens.leave();
        return withFilters ? filters(value) : value;
    }

    private Node.Expression primary() {
        TemplateToken token = tokens.next();
        int line = token.line();
        return switch (token.kind()) {
            case NAME -> {
                if (CONSTANTS.containsKey(token.value())) {
                    yield new Node.Constant(line, CONSTANTS.get(token.value()));
                }
                yield token.isName("none") || token.isName("None")
                        ? new Node.Constant(line, null)
                        : new Node.Name(line, token.value());
            }
            case STRING -> {
                StringBuilder text = new StringBuilder(token.value());
                while (tokens.peek().kind() == Kind.STRING) {
                    text.append(tokens.next().value());
                }
                yield new Node.Constant(line, text.toString());
            }
            case INTEGER -> new Node.Constant(line, integer(token.value().replace("_", "")));
            case FLOAT ->
                new Node.Constant(line, Double.parseDouble(token.value().replace("_", "")));
            case OPERATOR ->
                switch (token.value()) {
                    case "(" -> {
                        Node.Expression inner = tuple(true, true);
                        tokens.expectOperator(")");
                        yield inner;
                    }
                    case "[" -> list(line);
                    case "{" -> dict(line);
                    default -> throw new TemplateError(line, "expected an expression, found " + token.shown());
                };
            default -> throw new TemplateError(line, "expected an expression, found " + token.shown());
        };
    }

    private static Object integer(String digits) {
        String prefix = digits.length() > 1 ? digits.substring(0, 2).toLowerCase(Locale.ROOT) : "";
        BigInteger value = switch (prefix) {
            case "0x" -> new BigInteger(digits.substring(2), 16);
            case "0o" -> new BigInteger(digits.substring(2), 8);
            case "0b" -> new BigInteger(digits.substring(2), 2);
            default -> new BigInteger(digits);
        };
        return TemplateValues.normal(value);
    }

    private Node.Expression list(int line) {
        List<Node.Expression> items = new ArrayList<>();
        while (!tokens.skipOperator("]")) {
            if (!items.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator("]")) {
                    break;
                }
            }
            items.add(expression());
        }
        return new Node.ListLiteral(line, List.copyOf(items));
    }

    private Node.Expression dict(int line) {
        List<Node.Expression> keys = new ArrayList<>();
        List<Node.Expression> values = new ArrayList<>();
        while (!tokens.skipOperator("}")) {
            if (!keys.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            tokens.expectOperator(":");
            values.add(expression());
        }
        return new Node.DictLiteral(line, List.copyOf(keys), List.copyOf(values));
    }

    private Node.Expression postfix(Node.Expression value) {
        while (true) {
            int line = tokens.line();
            if (tokens.skipOperator(".")) {
                TemplateToken name = tokens.next();
                value = switch (name.kind()) {
                    case NAME -> new Node.Attribute(line, value, name.value());
                    case INTEGER -> new Node.Item(line, value, new Node.Constant(line, integer(name.value())));
                    default ->
                        throw new TemplateError(line, "expected the name of an attribute, found " + name.shown());
                };
            } else if (tokens.skipOperator("[")) {
                value = subscript(line, value);
            } else if (tokens.peek().isOperator("(")) {
                value = new Node.Call(line, value, arguments());
            } else {
                return value;
            }
        }
    }

    private Node.Expression subscript(int line, Node.Expression of) {
        Node.Expression from = tokens.peek().isOperator(":") ? null : expression();
        if (from != null && tokens.skipOperator("]")) {
            return new Node.Item(line, of, from);
        }
        if (!tokens.skipOperator(":")) {
            throw new TemplateError(
                    line, "expected ']' or ':', found " + tokens.peek().shown());
        }
        Node.Expression to = tokens.peek().isOperator(":") || tokens.peek().isOperator("]") ? null : expression();
        Node.Expression step = tokens.skipOperator(":") && !tokens.peek().isOperator("]") ? expression() : null;
        tokens.expectOperator("]");
        return new Node.Slice(line, of, from, to, step);
    }

    private Node.Arguments arguments() {
        tokens.expectOperator("(");
        List<Node.Expression> positional = new ArrayList<>();
        List<Node.Named> named = new ArrayList<>();
        while (!tokens.skipOperator(")")) {
            if (!positional.isEmpty() || !named.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.skipOperator(")")) {
                    break;
                }
            }
            TemplateToken token = tokens.peek();
            if (token.isOperator("*") || token.isOperator("**")) {
                throw new TemplateError(token.line(), "arguments with " + token.value() + " are not supported");
            }
            if (token.kind() == Kind.NAME && tokens.peekNext().isOperator("=")) {
                tokens.next();
                tokens.next();
                named.add(new Node.Named(token.value(), expression()));
            } else if (named.isEmpty()) {
                positional.add(expression());
            } else {
                throw new TemplateError(token.line(), "an argument without a name follows one with a name");
            }
        }
        return new Node.Arguments(List.copyOf(positional), List.copyOf(named));
    }

    /** Parses {@code | filter}, {@code is test} and calls of their results. */
    Node.Expression filters(Node.Expression value) {
        while (true) {
            int line = tokens.line();
            if (tokens.skipOperator("|")) {
                String name = dotted();
                value = new Node.Filter(
                        line, value, name, tokens.peek().isOperator("(") ? arguments() : Node.Arguments.NONE);
            } else if (tokens.skipName("is")) {
                value = test(line, value);
            } else if (tokens.peek().isOperator("(")) {
                value = new Node.Call(line, value, arguments());
            } else {
                return value;
            }
        }
    }

    private String dotted() {
        StringBuilder name =
                new StringBuilder(tokens.expect(Kind.NAME, "a name").value());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expect(Kind.NAME, "a name").value());
        }
        return name.toString();
    }

    private Node.Expression test(int line, Node.Expression value) {
        boolean negated = tokens.skipName("not");
        String name = dotted();
        TemplateToken token = tokens.peek();
        Node.Arguments arguments = Node.Arguments.NONE;
        if (token.isOperator("(")) {
            arguments = arguments();
        } else if (token.kind() == Kind.STRING
                || token.kind() == Kind.INTEGER
                || token.kind() == Kind.FLOAT
                || token.isOperator("[")
                || token.isOperator("{")
                || (token.kind() == Kind.NAME && !NOT_AN_ARGUMENT.contains(token.value()))) {
            if (token.isName("is")) {
                throw new TemplateError(line, "tests cannot follow each other with 'is'");
            }
            arguments = new Node.Arguments(List.of(postfix(primary())), List.of());
        }
        return new Node.Test(line, value, name, arguments, negated);
    }
}
