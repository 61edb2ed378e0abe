package dev.graft.models.chat.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Python's {@code str}: positions are code points, whitespace and case as Python has them. */
final class PythonString {

    private PythonString() {}

    static boolean isSpace(int c) {
        return (c >= 0x09 && c <= 0x0d)
                || (c >= 0x1c && c <= 0x20)
                || c == 0x85
                || c == 0xa0
                || c == 0x1680
                || (c >= 0x2000 && c <= 0x200a)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202f
                || c == 0x205f
                || c == 0x3000;
    }

    static String strip(String text, @Nullable String chars) {
        return rstrip(lstrip(text, chars), chars);
    }

    static String rstrip(String text) {
        return rstrip(text, null);
    }

    static String lstrip(String text, @Nullable String chars) {
        int from = 0;
        while (from < text.length() && stripped(text.codePointAt(from), chars)) {
            from += Character.charCount(text.codePointAt(from));
        }
        return text.substring(from);
    }

    static String rstrip(String text, @Nullable String chars) {
        int to = text.length();
        while (to > 0 && stripped(text.codePointBefore(to), chars)) {
            to -= Character.charCount(text.codePointBefore(to));
        }
        return text.substring(0, to);
    }

    private static boolean stripped(int c, @Nullable String chars) {
        return chars == null ? isSpace(c) : chars.indexOf(c) >= 0;
    }

    static int length(String text) {
        return text.codePointCount(0, text.length());
    }

    static List<String> characters(String text) {
        return text.codePoints().mapToObj(Character::toString).toList();
    }

    static String title(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            String one = Character.toString(c);
            out.append(inWord ? lower(one) : titled(c, one));
            inWord = isCased(c);
        }
        return out.toString();
    }

    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.codePointAt(0);
        return titled(first, Character.toString(first)) + lower(text.substring(Character.charCount(first)));
    }

    private static String titled(int c, String one) {
        String upper = upper(one);
        return upper.length() > one.length()
                ? upper.charAt(0) + lower(upper.substring(1))
                : Character.toString(Character.toTitleCase(c));
    }

    static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        return text.toLowerCase(Locale.ROOT);
    }

    static String replace(String text, String from, String to, int count) {
        if (count < 0 && !from.isEmpty()) {
            return text.replace(from, to);
        }
        StringBuilder out = new StringBuilder();
        int at = 0;
        int left = count < 0 ? Integer.MAX_VALUE : count;
        if (from.isEmpty()) {
            for (String c : characters(text)) {
                if (left-- > 0) {
                    out.append(to);
                }
                out.append(c);
            }
            return left > 0 ? out.append(to).toString() : out.toString();
        }
        for (int found = text.indexOf(from); found >= 0 && left > 0; found = text.indexOf(from, at), left--) {
            out.append(text, at, found).append(to);
            at = found + from.length();
        }
        return out.append(text, at, text.length()).toString();
    }

    /** {@code str.split}; a negative limit means no limit. */
    static List<Object> split(String text, @Nullable String separator, long limit) {
        List<Object> parts = new ArrayList<>();
        if (separator == null) {
            String rest = lstrip(text, null);
            while (!rest.isEmpty()) {
                int end = 0;
                while (end < rest.length() && !isSpace(rest.charAt(end))) {
                    end++;
                }
                if (limit >= 0 && parts.size() == limit) {
                    parts.add(rstrip(rest));
                    break;
                }
                parts.add(rest.substring(0, end));
                rest = lstrip(rest.substring(end), null);
            }
            return parts;
        }
        if (separator.isEmpty()) {
            throw new TemplateError("split by an empty separator");
        }
        int at = 0;
        for (int found = text.indexOf(separator);
                found >= 0 && (limit < 0 || parts.size() < limit);
                found = text.indexOf(separator, at)) {
            parts.add(text.substring(at, found));
            at = found + separator.length();
        }
        parts.add(text.substring(at));
        return parts;
    }

    /** {@code str.rsplit} with a separator. */
    static List<Object> rsplit(String text, String separator, long limit) {
        if (separator.isEmpty()) {
            throw new TemplateError("split by an empty separator");
        }
        List<Object> parts = new ArrayList<>();
        int end = text.length();
        while (limit < 0 || parts.size() < limit) {
            int found = end < separator.length() ? -1 : text.lastIndexOf(separator, end - separator.length());
            if (found < 0) {
                break;
            }
            parts.add(0, text.substring(found + separator.length(), end));
            end = found;
        }
        parts.add(0, text.substring(0, end));
        return parts;
    }

    static List<Object> splitLines(String text, boolean keepEnds) {
        List<Object> lines = new ArrayList<>();
        int from = 0;
        for (int i = 0; i < text.length(); i++) {
            if (!isLineEnd(text.charAt(i))) {
                continue;
            }
            int next = text.startsWith("\r\n", i) ? i + 2 : i + 1;
            lines.add(text.substring(from, keepEnds ? next : i));
            from = next;
            i = next - 1;
        }
        if (from < text.length()) {
            lines.add(text.substring(from));
        }
        return lines;
    }

    private static boolean isLineEnd(char c) {
        return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    /** A Python string literal's content. */
    static String unescape(String literal) {
        if (literal.indexOf('\\') < 0) {
            return literal;
        }
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < literal.length(); i++) {
            char c = literal.charAt(i);
            if (c != '\\') {
                out.append(c);
                continue;
            }
            char escape = literal.charAt(++i); // the lexer takes no literal that ends in a lone backslash
            switch (escape) {
                case '\n' -> {}
                case '\\', '\'', '"' -> out.append(escape);
                case 'a' -> out.append('\u0007');
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'n' -> out.append('\n');
                case 'r' -> out.append('\r');
                case 't' -> out.append('\t');
                case 'v' -> out.append('\u000b');
                case 'x' -> i = hex(literal, i, 2, out);
                case 'u' -> i = hex(literal, i, 4, out);
                case 'U' -> i = hex(literal, i, 8, out);
                case 'N' -> throw new TemplateError("the escape \\N{...} is not supported");
                default -> {
                    if (escape < '0' || escape > '7') {
                        out.append('\\').append(escape);
                        break;
                    }
                    int end = i;
                    while (end < literal.length()
                            && end < i + 3
                            && literal.charAt(end) >= '0'
                            && literal.charAt(end) <= '7') {
                        end++;
                    }
                    out.append((char) Integer.parseInt(literal.substring(i, end), 8));
                    i = end - 1;
                }
            }
        }
        return out.toString();
    }

    private static int hex(String literal, int at, int digits, StringBuilder out) {
        int end = at + 1 + digits;
        try {
            out.appendCodePoint(Integer.parseInt(literal.substring(at + 1, end), 16));
            return end - 1;
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            throw new TemplateError("a string has \\" + literal.charAt(at) + " without " + digits
                    + " hexadecimal digits of a character");
        }
    }
}
