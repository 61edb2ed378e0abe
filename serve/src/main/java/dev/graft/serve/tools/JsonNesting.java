package dev.graft.serve.tools;

/** The nesting depth of a growing JSON text, well-formed or not. */
final class JsonNesting {
    private int depth;
    private boolean inString;
    private boolean escaped;

    JsonNesting(int depth) {
        this.depth = depth;
    }

    int depth() {
        return depth;
    }

    /** Reads up to the end of what lies deeper than this; returns the number of characters read. JSON has no {@code <} outside of strings, so there it ends. */
    int read(CharSequence text, int floor) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (inString) {
                inString = escaped || c != '"';
                escaped = !escaped && c == '\\';
            } else if (c == '<') {
                depth = floor;
                return i;
            } else if (c == '}' || c == ']') {
                depth--;
                if (depth <= floor) {
                    return i + 1;
                }
            } else {
                inString = c == '"';
                depth += c == '{' || c == '[' ? 1 : 0;
            }
        }
        return text.length();
    }
}
