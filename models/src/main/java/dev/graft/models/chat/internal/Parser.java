package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateToken.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Statements of a template. */
final class Parser {

    private static final Set<String> NO_TARGETS = Set.of("true", "false", "none", "True", "False", "None");

    private final TokenStream tokens;
    private final ExpressionParser expressions;
    private int loops;

    private Parser(TokenStream tokens) {
        this.tokens = tokens;
        this.expressions = new ExpressionParser(tokens);
    }

    static List<Node.Statement> parse(String template) {
        Parser parser = new Parser(new TokenStream(Lexer.tokens(template)));
        List<Node.Statement> body = parser.body(Set.of());
        if (parser.tokens.peek().kind() != Kind.END) {
            throw new TemplateError(
                    parser.tokens.line(),
                    "unexpected " + parser.tokens.peekNext().shown());
        }
        return body;
    }

    /** Statements up to a tag that begins with one of these names; that name is the next token. */
    private List<Node.Statement> body(Set<String> ends) {
        tokens.enter();
        List<Node.Statement> statements = new ArrayList<>();
        while (true) {
            TemplateToken token = tokens.peek();
            switch (token.kind()) {
                case DATA ->
                    statements.add(new Node.Data(token.line(), tokens.next().value()));
                case VARIABLE_BEGIN -> {
                    tokens.next();
                    statements.add(new Node.Output(token.line(), expressions.tuple()));
                    tokens.expect(Kind.VARIABLE_END, "}}");
                }
                case BLOCK_BEGIN -> {
                    TemplateToken name = tokens.peekNext();
                    if (name.kind() == Kind.NAME && ends.contains(name.value())) {
                        tokens.next();
                        tokens.leave();
                        return List.copyOf(statements);
                    }
                    tokens.next();
                    statements.add(statement());
                    tokens.expect(Kind.BLOCK_END, "%}");
                }
                case END -> {
                    if (!ends.isEmpty()) {
                        throw new TemplateError(
                                token.line(),
                                "the template ends where one of "
                                        + ends.stream().sorted().toList() + " is expected");
                    }
                    tokens.leave();
                    return List.copyOf(statements);
                }
                default -> throw new TemplateError(token.line(), "unexpected " + token.shown());
            }
        }
    }

    private List<Node.Statement> bodyInTag(String... ends) {
        tokens.expect(Kind.BLOCK_END, "%}");
        return body(Set.of(ends));
    }

    private Node.Statement statement() {
        TemplateToken name = tokens.expect(Kind.NAME, "the name of a tag");
        int line = name.line();
        return switch (name.value()) {
            case "if" -> condition(line);
            case "for" -> loop(line);
            case "set" -> assignment(line);
            case "macro" -> macro(line);
            case "call" -> callBlock(line);
            case "generation" -> {
                List<Node.Statement> body = bodyInTag("endgeneration");
                tokens.next();
                yield new Node.Generation(line, body);
            }
            case "break" -> {
                requireLoop(line, "break");
                yield new Node.Break(line);
            }
            case "continue" -> {
                requireLoop(line, "continue");
                yield new Node.Continue(line);
            }
            default ->
                throw new TemplateError(
                        line,
                        "the tag {% " + name.value()
                                + " %} is not supported; known are if, for, set, macro, call, generation, break, continue");
        };
    }

    private void requireLoop(int line, String what) {
        if (loops == 0) {
            throw new TemplateError(line, "{% " + what + " %} outside of a loop");
        }
    }

    private Node.Statement condition(int line) {
        List<Node.Branch> branches = new ArrayList<>();
        List<Node.Statement> otherwise = List.of();
        while (true) {
            Node.Expression test = expressions.tupleWithoutConditional();
            branches.add(new Node.Branch(test, bodyInTag("elif", "else", "endif")));
            TemplateToken end = tokens.next();
            if (end.isName("elif")) {
                continue;
            }
            if (end.isName("else")) {
                otherwise = bodyInTag("endif");
                tokens.next();
            }
            return new Node.If(line, List.copyOf(branches), otherwise);
        }
    }

    private Node.Statement loop(int line) {
        Node.Target target = targets();
        tokens.expectName("in");
        Node.Expression over = expressions.tupleWithoutConditional();
        Node.Expression filter = tokens.skipName("if") ? expressions.expression() : null;
        if (tokens.peek().isName("recursive")) {
            throw new TemplateError(line, "a recursive loop is not supported");
        }
        loops++;
        List<Node.Statement> body = bodyInTag("else", "endfor");
        loops--;
        List<Node.Statement> otherwise = List.of();
        if (tokens.next().isName("else")) {
            otherwise = bodyInTag("endfor");
            tokens.next();
        }
        return new Node.For(line, target, over, filter, body, otherwise);
    }

    private Node.Statement assignment(int line) {
        Node.Target target = targets();
        if (tokens.skipOperator("=")) {
            return new Node.Set(line, target, expressions.tuple());
        }
        Node.Expression value = expressions.filters(new Node.Captured(line));
        List<Node.Statement> body = bodyInTag("endset");
        tokens.next();
        return new Node.SetBlock(line, target, body, value);
    }

    private Node.Target targets() {
        List<Node.Target> targets = new ArrayList<>();
        boolean tuple = false;
        boolean parenthesised = tokens.skipOperator("(");
        do {
            if (!targets.isEmpty() && tokens.peek().kind() != Kind.NAME) {
                break;
            }
            targets.add(target());
            tuple |= tokens.peek().isOperator(",");
        } while (tokens.skipOperator(","));
        if (parenthesised) {
            tokens.expectOperator(")");
        }
        return tuple ? new Node.Targets(List.copyOf(targets)) : targets.get(0);
    }

    private Node.Target target() {
        TemplateToken name = tokens.expect(Kind.NAME, "a name to assign to");
        if (NO_TARGETS.contains(name.value())) {
            throw new TemplateError(name.line(), "cannot assign to '" + name.value() + "'");
        }
        if (tokens.skipOperator(".")) {
            return new Node.NamespaceName(
                    name.line(),
                    name.value(),
                    tokens.expect(Kind.NAME, "the name of an attribute").value());
        }
        return new Node.Name(name.line(), name.value());
    }

    private Node.Statement macro(int line) {
        String name = tokens.expect(Kind.NAME, "the name of a macro").value();
        List<Node.Parameter> parameters = parameters();
        List<Node.Statement> body = callableBody("endmacro");
        return new Node.Macro(line, name, parameters, body);
    }

    private Node.Statement callBlock(int line) {
        List<Node.Parameter> parameters = tokens.peek().isOperator("(") ? parameters() : List.of();
        if (!(expressions.expression() instanceof Node.Call call)) {
            throw new TemplateError(line, "{% call %} needs a call");
        }
        return new Node.CallBlock(line, parameters, call, callableBody("endcall"));
    }

    /** A loop around a macro is not a loop inside it. */
    private List<Node.Statement> callableBody(String end) {
        int outer = loops;
        loops = 0;
        List<Node.Statement> body = bodyInTag(end);
        loops = outer;
        tokens.next();
        return body;
    }

    private List<Node.Parameter> parameters() {
        tokens.expectOperator("(");
        List<Node.Parameter> parameters = new ArrayList<>();
        boolean optional = false;
        while (!tokens.skipOperator(")")) {
            if (!parameters.isEmpty()) {
                tokens.expectOperator(",");
            }
            String name = tokens.expect(Kind.NAME, "the name of a parameter").value();
            Node.Expression fallback = tokens.skipOperator("=") ? expressions.expression() : null;
            if (fallback == null && optional) {
                throw new TemplateError(
                        tokens.line(), "the parameter '" + name + "' without a default follows one with a default");
            }
            optional |= fallback != null;
            parameters.add(new Node.Parameter(name, fallback));
        }
        return List.copyOf(parameters);
    }
}
