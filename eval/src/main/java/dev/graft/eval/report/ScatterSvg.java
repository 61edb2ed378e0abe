package dev.graft.eval.report;

import dev.graft.eval.report.Section.Scatter;
import dev.graft.eval.report.Section.ScatterPoint;
import java.util.stream.Collectors;

/** Named points as SVG; those on the front are filled and joined. */
record ScatterSvg(Scatter chart, int width, int height) {
    private static final double LEFT = 64;
    private static final double BOTTOM = 48;
    private static final double RADIUS = 5;

    String render() {
        double right = width - 12.0;
        double low = chart.points().stream().mapToDouble(ScatterPoint::x).min().orElse(1);
        double high = chart.points().stream().mapToDouble(ScatterPoint::x).max().orElse(1);
        Axis x = low > 0
                ? Axis.log(low, high, LEFT, right)
                : Axis.linear(low, high, LEFT, right, Math.max(2, width / 130));
        Axis y = Axis.linear(
                chart.points().stream().mapToDouble(ScatterPoint::y).min().orElse(0),
                chart.points().stream().mapToDouble(ScatterPoint::y).max().orElse(1),
                height - BOTTOM,
                12,
                6);
        Markup svg = new Markup();
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + width + " " + height,
                "role",
                "img",
                "aria-label",
                chart.title() + ": "
                        + chart.points().stream()
                                .map(point ->
                                        point.name() + " " + Numbers.text(point.x()) + ", " + Numbers.text(point.y()))
                                .collect(Collectors.joining("; ")));
        grid(svg, x, y);
        String front = chart.points().stream()
                .filter(ScatterPoint::onFront)
                .sorted((a, b) -> Double.compare(a.x(), b.x()))
                .map(point -> Numbers.position(x.position(point.x())) + " " + Numbers.position(y.position(point.y())))
                .collect(Collectors.joining("L"));
        svg.open("g", "class", "series s0");
        if (front.contains("L")) {
            svg.empty("path", "d", "M" + front);
        }
        for (ScatterPoint point : chart.points()) {
            String cx = Numbers.position(x.position(point.x()));
            String cy = Numbers.position(y.position(point.y()));
            svg.open(
                            "circle",
                            "class",
                            point.onFront() ? "mark" : "",
                            "cx",
                            cx,
                            "cy",
                            cy,
                            "r",
                            Numbers.position(RADIUS))
                    .element("title", point.name() + ": " + Numbers.text(point.x()) + ", " + Numbers.text(point.y()))
                    .close("circle");
        }
        svg.close("g");
        for (ScatterPoint point : chart.points()) {
            boolean nearRight = x.position(point.x()) > right - 120;
            svg.element(
                    "text",
                    SvgText.cut(point.name(), 24),
                    "class",
                    point.onFront() ? "label" : "",
                    "x",
                    Numbers.position(x.position(point.x()) + (nearRight ? -9 : 9)),
                    "y",
                    Numbers.position(y.position(point.y())),
                    "dy",
                    "0.35em",
                    "text-anchor",
                    nearRight ? "end" : "start");
        }
        return svg.close("svg").toString();
    }

    private void grid(Markup svg, Axis x, Axis y) {
        String bottom = Numbers.position(height - BOTTOM);
        for (Axis.Tick tick : x.ticks()) {
            String at = Numbers.position(x.position(tick.value()));
            svg.empty("line", "class", "grid", "x1", at, "x2", at, "y1", "12", "y2", bottom);
            svg.element(
                    "text",
                    tick.label(),
                    "x",
                    at,
                    "y",
                    Numbers.position(height - BOTTOM + 18),
                    "text-anchor",
                    "middle");
        }
        for (Axis.Tick tick : y.ticks()) {
            String at = Numbers.position(y.position(tick.value()));
            svg.empty(
                    "line",
                    "class",
                    "grid",
                    "x1",
                    Numbers.position(LEFT),
                    "x2",
                    Numbers.position(x.to()),
                    "y1",
                    at,
                    "y2",
                    at);
            svg.element(
                    "text",
                    tick.label(),
                    "x",
                    Numbers.position(LEFT - 8),
                    "y",
                    at,
                    "dy",
                    "0.35em",
                    "text-anchor",
                    "end");
        }
        svg.element(
                "text",
                chart.xLabel(),
                "class",
                "label",
                "x",
                Numbers.position((LEFT + x.to()) / 2),
                "y",
                Numbers.position(height - 8),
                "text-anchor",
                "middle");
    }
}
