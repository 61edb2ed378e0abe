package dev.graft.eval.report;

/** Text of an HTML document under construction; everything but element and attribute names is escaped. */
final class Markup {

    private final StringBuilder out = new StringBuilder();

    /** Opens an element; attributes are names and values in turn. */
    Markup open(String element, String... attributes) {
        out.append('<').append(element);
        for (int i = 0; i < attributes.length; i += 2) {
            out.append(' ').append(attributes[i]).append("=\"");
            escape(attributes[i + 1]);
            out.append('"');
        }
        out.append('>');
        return this;
    }

    Markup close(String element) {
        out.append("</").append(element).append('>');
        return this;
    }

    Markup text(String text) {
        escape(text);
        return this;
    }

    /** An element with only text in it. */
    Markup element(String element, String text, String... attributes) {
        return open(element, attributes).text(text).close(element);
    }

    /** An element with nothing in it; the end tag is right in SVG and for the HTML elements used here. */
    Markup empty(String element, String... attributes) {
        return open(element, attributes).close(element);
    }

    Markup line() {
        out.append('\n');
        return this;
    }

    /** Puts in what is markup already. */
    Markup markup(String html) {
        out.append(html);
        return this;
    }

    private void escape(String text) {
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> out.appendCodePoint(forbidden(c) ? 0xFFFD : c);
            }
        });
    }

    /** Returns whether HTML forbids a character or it reorders the text around it. */
    private static boolean forbidden(int c) {
        return (c < 0x20 && c != '\n' && c != '\t')
                || (c >= 0x7F && c < 0xA0)
                || (c >= 0xD800 && c < 0xE000)
                || (c >= 0x202A && c <= 0x202E)
                || (c >= 0x2066 && c <= 0x2069)
                || (c & 0xFFFE) == 0xFFFE;
    }

    @Override
    public String toString() {
        return out.toString();
    }
}
