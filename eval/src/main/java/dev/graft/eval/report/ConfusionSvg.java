package dev.graft.eval.report;

import dev.graft.eval.report.Section.Confusion;
import java.util.Arrays;

/**
 * A confusion matrix as SVG: a row for each true class, a column for each prediction; the colour says which share of its
 * row a cell has, right predictions in one hue and errors in another; the number is the count.
 */
record ConfusionSvg(Confusion confusion) {

    private static final int LABEL_UNITS = 24;

    /** Above this opacity a cell is so strong that its text takes the colour of the page. */
    private static final double STRONG = 0.78;

    String render() {
        int classes = confusion.labels().size();
        double cell = classes <= 12 ? 44 : classes <= 40 ? 30 : 14;
        double names = confusion.labels().stream()
                        .mapToDouble(label -> SvgText.width(SvgText.cut(label, LABEL_UNITS), 13))
                        .max()
                        .orElse(0)
                + 10;
        double left = names + 24;
        double slanted = names * Math.sin(Math.PI / 4) + 8;
        double top = slanted + 24;
        double overhang = Math.max(slanted - cell / 2, 12);
        double width = left + classes * cell + overhang;
        double height = top + classes * cell + 4;

        Markup svg = new Markup();
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + Numbers.position(width) + " " + Numbers.position(height),
                "width",
                Numbers.position(width),
                "height",
                Numbers.position(height),
                "role",
                "img",
                "aria-label",
                confusion.title() + ": " + classes + " classes, " + correct() + " of " + total()
                        + " rows on the diagonal");
        svg.element("text", "predicted", "class", "label", "x", Numbers.position(left), "y", "14");
        svg.element(
                "text",
                "true",
                "class",
                "label",
                "transform",
                "translate(14 " + Numbers.position(top + classes * cell / 2) + ") rotate(-90)",
                "text-anchor",
                "middle");
        for (int i = 0; i < classes; i++) {
            labels(svg, i, left, top, cell);
            for (int j = 0; j < classes; j++) {
                cell(svg, i, j, left + j * cell, top + i * cell, cell);
            }
        }
        return svg.close("svg").toString();
    }

    private void labels(Markup svg, int i, double left, double top, double cell) {
        String label = confusion.labels().get(i);
        String cut = SvgText.cut(label, LABEL_UNITS);
        double middle = (i + 0.5) * cell;
        svg.open(
                        "text",
                        "x",
                        Numbers.position(left - 8),
                        "y",
                        Numbers.position(top + middle),
                        "dy",
                        "0.35em",
                        "text-anchor",
                        "end")
                .element("title", label)
                .text(cut)
                .close("text");
        svg.open(
                        "text",
                        "transform",
                        "translate(" + Numbers.position(left + middle + 3) + " " + Numbers.position(top - 8)
                                + ") rotate(-45)")
                .element("title", label)
                .text(cut)
                .close("text");
    }

    private void cell(Markup svg, int i, int j, double x, double y, double size) {
        long[] row = confusion.counts()[i];
        long count = row[j];
        long support = Arrays.stream(row).sum();
        double share = support == 0 ? 0 : (double) count / support;
        // The root makes an error of a few rows in a hundred visible.
        double opacity = count == 0 ? 0 : Math.sqrt(share);
        String hue = i == j ? "hit" : "miss";
        svg.open("g");
        svg.element(
                "title",
                confusion.labels().get(i) + " predicted as "
                        + confusion.labels().get(j) + ": " + count + " of " + support);
        svg.empty(
                "rect",
                "class",
                count == 0 ? "cell" : "cell " + hue,
                "x",
                Numbers.position(x + 0.5),
                "y",
                Numbers.position(y + 0.5),
                "width",
                Numbers.position(size - 1),
                "height",
                Numbers.position(size - 1),
                "fill-opacity",
                count == 0 ? "1" : Double.toString(Math.round(opacity * 100) / 100.0));
        if (count > 0 && size >= 30) {
            svg.element(
                    "text",
                    shortened(count),
                    "class",
                    opacity > STRONG ? "count strong" : "count",
                    "x",
                    Numbers.position(x + size / 2),
                    "y",
                    Numbers.position(y + size / 2),
                    "dy",
                    "0.35em",
                    "text-anchor",
                    "middle");
        }
        svg.close("g");
    }

    /** Returns a count in at most four characters; the tables state the count in full. */
    private static String shortened(long count) {
        if (count < 10_000) {
            return Long.toString(count);
        }
        return count < 1_000_000 ? count / 1000 + "k" : count / 1_000_000 + "M";
    }

    private long total() {
        return Arrays.stream(confusion.counts()).flatMapToLong(Arrays::stream).sum();
    }

    private long correct() {
        long[][] counts = confusion.counts();
        long sum = 0;
        for (int i = 0; i < counts.length; i++) {
            sum += counts[i][i];
        }
        return sum;
    }
}
