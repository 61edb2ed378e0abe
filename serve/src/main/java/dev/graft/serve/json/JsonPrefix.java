package dev.graft.serve.json;

import org.jspecify.annotations.Nullable;

/**
 * The beginning of a JSON object in UTF-8, and what may follow it: RFC 8259 without lone surrogates, at most 62 levels deep, and with at
 * most 32 spaces in a row outside of strings, so that a text can't be spaces for ever. Immutable.
 *
 * @param mode what comes next
 * @param rest the remainder of a literal
 * @param count the remaining bytes of an escape or a character, or the number of spaces so far
 * @param low the smallest byte that may continue a character
 * @param high the largest such byte
 * @param key true if the string is a key
 * @param stack the open arrays and objects, the innermost in the last bit: 1 for an object, below a leading 1
 */
record JsonPrefix(Mode mode, String rest, int count, int low, int high, boolean key, long stack) implements JsonState {
    private static final int MOST_SPACES = 32;
    private static final long DEEPEST = 1L << 62;

    enum Mode {
        /** The object itself. */
        BEGIN,
        VALUE,
        /** A value, or the end of an empty array. */
        FIRST_VALUE,
        KEY,
        /** A key, or the end of an empty object. */
        FIRST_KEY,
        COLON,
        /** A comma, or the end of an array or object. */
        AFTER_VALUE,
        STRING,
        ESCAPE,
        /** Digits of an escape. */
        HEX,
        /** The second digit of an escape that begins with d: not one of a surrogate. */
        HEX_OF_D,
        /** The rest of a character of several bytes. */
        CHARACTER,
        MINUS,
        ZERO,
        DIGITS,
        POINT,
        FRACTION,
        E,
        E_SIGN,
        EXPONENT,
        LITERAL,
        WHOLE;

        /** Returns whether it is within a number. */
        boolean isNumber() {
            return compareTo(MINUS) >= 0 && compareTo(EXPONENT) <= 0;
        }
    }

    /** Before an object. */
    static final JsonPrefix BEGIN = new JsonPrefix(Mode.BEGIN, "", 0, 0, 0, false, 1);

    @Override
    public boolean isComplete() {
        return mode == Mode.WHOLE;
    }

    @Override
    public @Nullable JsonPrefix advance(int b) {
        return switch (mode) {
            case WHOLE -> null;
            case STRING -> inString(b);
            case CHARACTER ->
                b < low || b > high ? null : count > 1 ? character(count - 1, 0x80, 0xbf) : to(Mode.STRING);
            case ESCAPE -> "\"\\/bfnrt".indexOf(b) >= 0 ? to(Mode.STRING) : b == 'u' ? hex(Mode.HEX, 4) : null;
            case HEX -> !isHex(b) ? null : count == 4 && (b | 32) == 'd' ? hex(Mode.HEX_OF_D, 3) : afterHex();
            case HEX_OF_D -> b >= '0' && b <= '7' ? afterHex() : null;
            case LITERAL -> b != rest.charAt(0) ? null : rest.length() == 1 ? afterValue() : literal(rest.substring(1));
            case MINUS -> b == '0' ? to(Mode.ZERO) : isDigit(b) ? to(Mode.DIGITS) : null;
            case POINT -> isDigit(b) ? to(Mode.FRACTION) : null;
            case E -> isDigit(b) ? to(Mode.EXPONENT) : b == '+' || b == '-' ? to(Mode.E_SIGN) : null;
            case E_SIGN -> isDigit(b) ? to(Mode.EXPONENT) : null;
            case ZERO, DIGITS, FRACTION, EXPONENT -> inNumber(b);
            default -> isSpace(b) ? space() : outside(b);
        };
    }

    private @Nullable JsonPrefix inString(int b) {
        if (b == '"') {
            return key ? to(Mode.COLON) : afterValue();
        }
        if (b == '\\') {
            return to(Mode.ESCAPE);
        }
        if (b < 0x80) {
            return b < 0x20 ? null : this;
        }
        // The well-formed sequences of the Unicode standard, table 3-7.
        return switch (b) {
            case 0xe0 -> character(2, 0xa0, 0xbf);
            case 0xed -> character(2, 0x80, 0x9f);
            case 0xf0 -> character(3, 0x90, 0xbf);
            case 0xf4 -> character(3, 0x80, 0x8f);
            default -> b < 0xc2 || b > 0xf4 ? null : character(b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3, 0x80, 0xbf);
        };
    }

    private @Nullable JsonPrefix inNumber(int b) {
        if (isDigit(b)) {
            return mode == Mode.ZERO ? null : this;
        }
        if (b == '.') {
            return mode == Mode.ZERO || mode == Mode.DIGITS ? to(Mode.POINT) : null;
        }
        if ((b | 32) == 'e') {
            return mode == Mode.EXPONENT ? null : to(Mode.E);
        }
        return afterValue().advance(b);
    }

    private @Nullable JsonPrefix outside(int b) {
        boolean inObject = (stack & 1) == 1;
        return switch (mode) {
            case BEGIN -> b == '{' ? open(true) : null;
            case KEY, FIRST_KEY -> b == '"' ? string(true) : b == '}' && mode == Mode.FIRST_KEY ? close() : null;
            case COLON -> b == ':' ? to(Mode.VALUE) : null;
            case AFTER_VALUE ->
                b == ',' ? to(inObject ? Mode.KEY : Mode.VALUE) : b == (inObject ? '}' : ']') ? close() : null;
            case FIRST_VALUE -> b == ']' ? close() : value(b);
            default -> value(b);
        };
    }

    private @Nullable JsonPrefix value(int b) {
        return switch (b) {
            case '{' -> open(true);
            case '[' -> open(false);
            case '"' -> string(false);
            case 't' -> literal("rue");
            case 'f' -> literal("alse");
            case 'n' -> literal("ull");
            case '-' -> to(Mode.MINUS);
            case '0' -> to(Mode.ZERO);
            default -> isDigit(b) ? to(Mode.DIGITS) : null;
        };
    }

    private @Nullable JsonPrefix open(boolean object) {
        return stack >= DEEPEST
                ? null
                : new JsonPrefix(
                        object ? Mode.FIRST_KEY : Mode.FIRST_VALUE, "", 0, 0, 0, false, stack << 1 | (object ? 1 : 0));
    }

    private JsonPrefix close() {
        long outer = stack >> 1;
        return new JsonPrefix(outer == 1 ? Mode.WHOLE : Mode.AFTER_VALUE, "", 0, 0, 0, false, outer);
    }

    private @Nullable JsonPrefix space() {
        return count == MOST_SPACES ? null : new JsonPrefix(mode, "", count + 1, 0, 0, false, stack);
    }

    private JsonPrefix afterValue() {
        return new JsonPrefix(Mode.AFTER_VALUE, "", 0, 0, 0, false, stack);
    }

    private JsonPrefix to(Mode next) {
        return new JsonPrefix(next, "", 0, 0, 0, key && next != Mode.COLON, stack);
    }

    private JsonPrefix string(boolean asKey) {
        return new JsonPrefix(Mode.STRING, "", 0, 0, 0, asKey, stack);
    }

    private JsonPrefix literal(String left) {
        return new JsonPrefix(Mode.LITERAL, left, 0, 0, 0, false, stack);
    }

    private JsonPrefix character(int left, int from, int to) {
        return new JsonPrefix(Mode.CHARACTER, "", left, from, to, key, stack);
    }

    private JsonPrefix hex(Mode next, int left) {
        return new JsonPrefix(next, "", left, 0, 0, key, stack);
    }

    private JsonPrefix afterHex() {
        return count == 1 ? to(Mode.STRING) : hex(Mode.HEX, count - 1);
    }

    static boolean isSpace(int b) {
        return b == ' ' || b == '\n' || b == '\t' || b == '\r';
    }

    private static boolean isDigit(int b) {
        return b >= '0' && b <= '9';
    }

    private static boolean isHex(int b) {
        return isDigit(b) || (b | 32) >= 'a' && (b | 32) <= 'f';
    }
}
