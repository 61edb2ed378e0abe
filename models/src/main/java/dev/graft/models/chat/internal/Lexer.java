package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateToken.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Converts template source to tokens and applies the whitespace rules of trim_blocks and lstrip_blocks. */
final class Lexer {

    private static final Pattern FLOAT =
            Pattern.compile("(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)");
    private static final Pattern INTEGER =
            Pattern.compile("0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?\\d)*|0(?:_?0)*");
    private static final Pattern NAME = Pattern.compile("[\\p{L}_][\\p{L}\\p{M}\\p{Nd}_]*");
    private static final Pattern STRING =
            Pattern.compile("'[^'\\\\]*+(?:\\\\.[^'\\\\]*+)*+'|\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\"", Pattern.DOTALL);
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",");

    private final String source;
    private final List<TemplateToken> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    /** True if the next text starts a line, since a newline after a tag was consumed with the tag. */
    private boolean lineStarting = true;

    private Lexer(String source) {
        this.source = source;
    }

    static List<TemplateToken> tokens(String template) {
        String source = template.replace("\r\n", "\n").replace('\r', '\n');
        if (source.endsWith("\n")) {
            source = source.substring(0, source.length() - 1);
        }
        Lexer lexer = new Lexer(source);
        lexer.run();
        return List.copyOf(lexer.tokens);
    }

    private void run() {
        while (at < source.length()) {
            int begin = nextTag();
            if (begin < 0) {
                data(source.substring(at));
                at = source.length();
                break;
            }
            char type = source.charAt(begin + 1);
            char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
            boolean signed = sign == '-' || sign == '+';
            String text = source.substring(at, begin);
            data(stripped(text, sign, type));
            line += lines(text);
            at = begin + (signed ? 3 : 2);
            if (type == '#') {
                comment();
            } else {
                tag(type == '%');
            }
        }
        tokens.add(new TemplateToken(Kind.END, "", line));
    }

    private int nextTag() {
        for (int i = at; i + 1 < source.length(); i++) {
            if (source.charAt(i) == '{' && "%{#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private String stripped(String text, char sign, char type) {
        if (sign == '-') {
            return PythonString.rstrip(text);
        }
        if (sign == '+' || type == '{') {
            return text;
        }
        int lineStart = text.lastIndexOf('\n') + 1;
        boolean blank = PythonString.rstrip(text.substring(lineStart)).isEmpty();
        return (lineStart > 0 || lineStarting) && blank ? text.substring(0, lineStart) : text;
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            tokens.add(new TemplateToken(Kind.DATA, text, line));
        }
    }

    private void comment() {
        int end = source.indexOf("#}", at);
        if (end < 0) {
            throw new TemplateError(line, "a comment {# has no end #}");
        }
        char sign = end > at ? source.charAt(end - 1) : ' ';
        line += lines(source.substring(at, end));
        at = end + 2;
        skipAfterTag(sign, true);
    }

    /**
     * Skips whitespace after a tag: all of it after {@code -}. After blocks and comments the first newline is skipped,
     * unless there is a {@code +}.
     */
    private void skipAfterTag(char sign, boolean trim) {
        int from = at;
        if (sign == '-') {
            while (at < source.length() && PythonString.isSpace(source.charAt(at))) {
                at++;
            }
        } else if (trim && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
        line += lines(source.substring(from, at));
        lineStarting = at > from && source.charAt(at - 1) == '\n';
    }

    private static int lines(String text) {
        return (int) text.chars().filter(c -> c == '\n').count();
    }

    private void tag(boolean block) {
        tokens.add(new TemplateToken(block ? Kind.BLOCK_BEGIN : Kind.VARIABLE_BEGIN, "", line));
        String end = block ? "%}" : "}}";
        int begunAt = line;
        Deque<Character> open = new ArrayDeque<>();
        while (true) {
            while (at < source.length() && PythonString.isSpace(source.charAt(at))) {
                if (source.charAt(at) == '\n') {
                    line++;
                }
                at++;
            }
            if (at >= source.length()) {
                throw new TemplateError(begunAt, "a tag " + (block ? "{%" : "{{") + " has no end " + end);
            }
            if (open.isEmpty()) {
                char sign = source.charAt(at);
                boolean signed = sign == '-' || (sign == '+' && block);
                if (source.startsWith(end, signed ? at + 1 : at)) {
                    at += signed ? 3 : 2;
                    tokens.add(new TemplateToken(block ? Kind.BLOCK_END : Kind.VARIABLE_END, "", line));
                    skipAfterTag(signed ? sign : ' ', block);
                    return;
                }
            }
            inner(open);
        }
    }

    private void inner(Deque<Character> open) {
        if (match(FLOAT, Kind.FLOAT)
                || match(INTEGER, Kind.INTEGER)
                || match(NAME, Kind.NAME)
                || match(STRING, Kind.STRING)) {
            return;
        }
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                balance(operator.charAt(0), open);
                tokens.add(new TemplateToken(Kind.OPERATOR, operator, line));
                at += operator.length();
                return;
            }
        }
        throw new TemplateError(
                line, "unexpected character '" + source.substring(at, source.offsetByCodePoints(at, 1)) + "'");
    }

    private void balance(char c, Deque<Character> open) {
        if (c == '(' || c == '[' || c == '{') {
            open.push(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (c == ')' || c == ']' || c == '}') {
            if (open.isEmpty() || open.pop() != c) {
                throw new TemplateError(line, "unexpected '" + c + "'");
            }
        }
    }

    private boolean match(Pattern pattern, Kind kind) {
        Matcher matcher = pattern.matcher(source).region(at, source.length());
        if (!matcher.lookingAt()) {
            return false;
        }
        String text = matcher.group();
        tokens.add(new TemplateToken(
                kind, kind == Kind.STRING ? PythonString.unescape(text.substring(1, text.length() - 1)) : text, line));
        line += lines(text);
        at = matcher.end();
        return true;
    }
}
