package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateToken.Kind;
import java.util.List;

/** Tokens with a current position. */
final class TokenStream {

    /** The maximum depth of nesting. Deeper templates are rejected, since they would exhaust the stack. */
    private static final int MAX_DEPTH = 200;

    private final List<TemplateToken> tokens;
    private int at;
    private int depth;

    TokenStream(List<TemplateToken> tokens) {
        this.tokens = tokens;
    }

    TemplateToken peek() {
        return tokens.get(at);
    }

    TemplateToken peekNext() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    int line() {
        return peek().line();
    }

    TemplateToken next() {
        TemplateToken token = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean skipName(String name) {
        if (peek().isName(name)) {
            next();
            return true;
        }
        return false;
    }

    boolean skipOperator(String operator) {
        if (peek().isOperator(operator)) {
            next();
            return true;
        }
        return false;
    }

    TemplateToken expect(Kind kind, String what) {
        if (peek().kind() != kind) {
            throw new TemplateError(line(), "expected " + what + ", found " + peek().shown());
        }
        return next();
    }

    void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw new TemplateError(line(), "expected '" + operator + "', found " + peek().shown());
        }
    }

    void expectName(String name) {
        if (!skipName(name)) {
            throw new TemplateError(line(), "expected '" + name + "', found " + peek().shown());
        }
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw new TemplateError(line(), "is nested deeper than " + MAX_DEPTH);
        }
    }

    void leave() {
        depth--;
    }
}
