package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.Token.Kind;
import java.util.List;

/** Tokens with a place in them. */
final class TokenStream {

    /** Deeper templates are refused: they would exhaust the stack. */
    private static final int MAX_DEPTH = 200;

    private final List<Token> tokens;
    private int at;
    private int depth;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(at);
    }

    Token peekNext() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    int line() {
        return peek().line();
    }

    Token next() {
        Token token = tokens.get(at);
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

    Token expect(Kind kind, String what) {
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
