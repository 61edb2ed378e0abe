package dev.graft.eval.report;

/** Names in drawings, where nothing wraps or measures text. */
final class SvgText {

    private SvgText() {}

    /** The estimated width in pixels at this font size. */
    static double width(String text, double fontSize) {
        return units(text) * fontSize * 0.56;
    }

    /** The text cut to about this many Latin characters, with an ellipsis if something is missing. */
    static String cut(String text, int units) {
        if (units(text) <= units) {
            return text;
        }
        StringBuilder cut = new StringBuilder();
        int used = 1;
        for (int c : text.codePoints().toArray()) {
            used += units(c);
            if (used > units) {
                break;
            }
            cut.appendCodePoint(c);
        }
        return cut.append('…').toString();
    }

    private static int units(String text) {
        return text.codePoints().map(SvgText::units).sum();
    }

    /** East Asian characters and pictographs are about twice as wide. */
    private static int units(int c) {
        return c >= 0x1100 ? 2 : 1;
    }
}
