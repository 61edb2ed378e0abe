package dev.graft.eval.report;

import dev.graft.eval.report.Section.Bar;
import dev.graft.eval.report.Section.BarChart;
import java.util.stream.Collectors;

/**
 * A bar chart as SVG.
 *
 * @param labelsAbove whether names stand over their bars, for narrow pages, or left of them
 */
record BarSvg(BarChart chart, int width, boolean labelsAbove) {

    private static final int LABEL_UNITS = 34;
    private static final double BAR = 18;

    String render() {
        double longest = chart.bars().stream()
                .mapToDouble(bar -> SvgText.width(SvgText.cut(bar.label(), LABEL_UNITS), 13))
                .max()
                .orElse(0);
        double values = chart.bars().stream()
                .mapToDouble(bar -> SvgText.width(Numbers.text(bar.value()), 13))
                .max()
                .orElse(0);
        double min =
                Math.min(0, chart.bars().stream().mapToDouble(Bar::value).min().orElse(0));
        double max =
                Math.max(0, chart.bars().stream().mapToDouble(Bar::value).max().orElse(1));
        double left = (labelsAbove ? 14 : longest + 16) + (min < 0 ? values + 8 : 0);
        Axis x = Axis.linear(min, max, left, width - values - 14, Math.max(2, width / 130));
        double row = labelsAbove ? BAR + 26 : BAR + 10;
        double bottom = 6 + row * chart.bars().size();
        double height = bottom + 46;

        Markup svg = new Markup();
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + width + " " + Numbers.position(height),
                "role",
                "img",
                "aria-label",
                chart.title() + ": "
                        + chart.bars().stream()
                                .map(bar -> bar.label() + " " + Numbers.text(bar.value()))
                                .collect(Collectors.joining(", ")));
        for (Axis.Tick tick : x.ticks()) {
            String at = Numbers.position(x.position(tick.value()));
            svg.empty("line", "class", "grid", "x1", at, "x2", at, "y1", "4", "y2", Numbers.position(bottom));
            svg.element("text", tick.label(), "x", at, "y", Numbers.position(bottom + 18), "text-anchor", "middle");
        }
        for (int i = 0; i < chart.bars().size(); i++) {
            bar(svg, chart.bars().get(i), x, longest + 8, 6 + row * i);
        }
        String zero = Numbers.position(x.position(0));
        svg.empty("line", "class", "axis", "x1", zero, "x2", zero, "y1", "4", "y2", Numbers.position(bottom));
        svg.element(
                "text",
                chart.valueLabel(),
                "class",
                "label",
                "x",
                Numbers.position((left + x.to()) / 2),
                "y",
                Numbers.position(height - 6),
                "text-anchor",
                "middle");
        return svg.close("svg").toString();
    }

    private void bar(Markup svg, Bar bar, Axis x, double labelEnd, double top) {
        double y = labelsAbove ? top + 18 : top + 2;
        String middle = Numbers.position(y + BAR / 2);
        double zero = x.position(0);
        double end = x.position(bar.value());
        boolean negative = bar.value() < 0;
        svg.open("g").element("title", bar.label() + ": " + Numbers.text(bar.value()));
        svg.element(
                "text",
                SvgText.cut(bar.label(), LABEL_UNITS),
                "x",
                labelsAbove ? "20" : Numbers.position(labelEnd),
                "y",
                labelsAbove ? Numbers.position(top + 13) : middle,
                "dy",
                labelsAbove ? "0" : "0.35em",
                "text-anchor",
                labelsAbove ? "start" : "end");
        svg.empty(
                "rect",
                "class",
                "bar",
                "x",
                Numbers.position(Math.min(zero, end)),
                "y",
                Numbers.position(y),
                "width",
                Numbers.position(Math.abs(end - zero)),
                "height",
                Numbers.position(BAR),
                "rx",
                "2");
        svg.element(
                "text",
                Numbers.text(bar.value()),
                "class",
                "value",
                "x",
                Numbers.position(negative ? end - 6 : end + 6),
                "y",
                middle,
                "dy",
                "0.35em",
                "text-anchor",
                negative ? "end" : "start");
        svg.close("g");
    }
}
