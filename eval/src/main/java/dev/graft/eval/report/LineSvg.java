package dev.graft.eval.report;

import dev.graft.eval.report.Section.LineChart;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.YScale;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.stream.Collectors;

/** A line chart as SVG. */
record LineSvg(LineChart chart, int width, int height) {

    private static final double TOP = 12;
    private static final double BOTTOM = 48;

    /** A series of at most this many points has a mark at each, a longer one about {@link #MARKS} in all. */
    private static final int MARKED = 40;

    private static final int MARKS = 8;

    /** The number of points above which only the lowest and highest of each bucket are drawn. */
    private static final int DRAWN = 1500;

    private static final int COLOURS = 8;

    /** The style of the series with this index, which its entry in the legend has too. */
    static String seriesClass(int index) {
        return "series s" + index % COLOURS;
    }

    String render() {
        Markup svg = new Markup();
        svg.open(
                "svg",
                "viewBox",
                "0 0 " + width + " " + height,
                "role",
                "img",
                "aria-label",
                chart.title() + ": " + chart.yLabel() + " over " + chart.xLabel() + " of "
                        + chart.series().stream().map(Series::name).collect(Collectors.joining(", ")));
        List<Point> drawn = chart.series().stream()
                .flatMap(series -> series.points().stream())
                .filter(this::drawable)
                .toList();
        if (drawn.isEmpty()) {
            return svg.element("text", "no points", "x", "" + width / 2, "y", "" + height / 2, "text-anchor", "middle")
                    .close("svg")
                    .toString();
        }
        Axis y = yAxis(drawn);
        double left = y.ticks().stream()
                        .mapToDouble(tick -> SvgText.width(tick.label(), 13))
                        .max()
                        .orElse(0)
                + 34;
        DoubleSummaryStatistics xs = drawn.stream().mapToDouble(Point::x).summaryStatistics();
        Axis x = Axis.tight(xs.getMin(), xs.getMax(), left, width - 14.0, width / 90);
        grid(svg, x, y, left);
        for (int i = 0; i < chart.series().size(); i++) {
            series(svg, chart.series().get(i), i, x, y);
        }
        return svg.close("svg").toString();
    }

    /** Returns the number of points without a place in the drawing. */
    long undrawable() {
        return chart.series().stream()
                .flatMap(series -> series.points().stream())
                .filter(point -> !drawable(point))
                .count();
    }

    private boolean drawable(Point point) {
        return Double.isFinite(point.x())
                && Double.isFinite(point.y())
                && (chart.yScale() == YScale.LINEAR || point.y() > 0);
    }

    private Axis yAxis(List<Point> drawn) {
        DoubleSummaryStatistics ys = drawn.stream().mapToDouble(Point::y).summaryStatistics();
        double bottom = height - BOTTOM;
        return chart.yScale() == YScale.LOG
                ? Axis.log(ys.getMin(), ys.getMax(), bottom, TOP)
                : Axis.linear(ys.getMin(), ys.getMax(), bottom, TOP, 5);
    }

    private void grid(Markup svg, Axis x, Axis y, double left) {
        for (Axis.Tick tick : y.ticks()) {
            String at = Numbers.position(y.position(tick.value()));
            svg.empty(
                    "line", "class", "grid", "x1", Numbers.position(left), "x2", "" + (width - 14), "y1", at, "y2", at);
            svg.element(
                    "text",
                    tick.label(),
                    "x",
                    Numbers.position(left - 8),
                    "y",
                    at,
                    "dy",
                    "0.35em",
                    "text-anchor",
                    "end");
        }
        double bottom = y.from();
        for (Axis.Tick tick : x.ticks()) {
            String at = Numbers.position(x.position(tick.value()));
            svg.empty(
                    "line",
                    "class",
                    "axis",
                    "x1",
                    at,
                    "x2",
                    at,
                    "y1",
                    Numbers.position(bottom),
                    "y2",
                    Numbers.position(bottom + 5));
            svg.element("text", tick.label(), "x", at, "y", Numbers.position(bottom + 20), "text-anchor", "middle");
        }
        String floor = Numbers.position(bottom);
        svg.empty(
                "line",
                "class",
                "axis",
                "x1",
                Numbers.position(left),
                "x2",
                "" + (width - 14),
                "y1",
                floor,
                "y2",
                floor);
        svg.element(
                "text",
                chart.xLabel(),
                "class",
                "label",
                "x",
                Numbers.position((left + width - 14) / 2),
                "y",
                "" + (height - 6),
                "text-anchor",
                "middle");
        String middle = Numbers.position((TOP + bottom) / 2);
        svg.element(
                "text",
                chart.yScale() == YScale.LOG ? chart.yLabel() + " (log scale)" : chart.yLabel(),
                "class",
                "label",
                "transform",
                "translate(14 " + middle + ") rotate(-90)",
                "text-anchor",
                "middle");
    }

    private void series(Markup svg, Series series, int index, Axis x, Axis y) {
        StringBuilder path = new StringBuilder();
        List<Point> marked = new ArrayList<>();
        int every = series.points().size() <= MARKED ? 1 : series.points().size() / MARKS;
        int seen = every / 2;
        for (List<Point> run : runs(series.points())) {
            List<Point> thinned = thin(run);
            for (int i = 0; i < thinned.size(); i++) {
                Point point = thinned.get(i);
                path.append(i == 0 ? 'M' : 'L')
                        .append(Numbers.position(x.position(point.x())))
                        .append(' ')
                        .append(Numbers.position(y.position(point.y())));
            }
            for (Point point : run) {
                if (seen++ % every == 0 || run.size() == 1) {
                    marked.add(point);
                }
            }
        }
        svg.open("g", "class", seriesClass(index)).element("title", series.name());
        svg.empty("path", "d", path.toString());
        for (Point point : marked) {
            mark(svg, index, x.position(point.x()), y.position(point.y()));
        }
        svg.close("g");
    }

    /** The shape that tells this series from others without colour. */
    static void mark(Markup svg, int index, double x, double y) {
        String shape = switch ((index + index / COLOURS) % 4) {
            case 0 -> "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z";
            case 1 -> "m-3.5 -3.5h7v7h-7Z";
            case 2 -> "m0 -5l4.6 8h-9.2Z";
            default -> "m0 -5l5 5l-5 5l-5 -5Z";
        };
        svg.empty("path", "class", "mark", "d", "M" + Numbers.position(x) + " " + Numbers.position(y) + shape);
    }

    /** The stretches between points that cannot be drawn. */
    private List<List<Point>> runs(List<Point> points) {
        List<List<Point>> runs = new ArrayList<>();
        List<Point> run = new ArrayList<>();
        for (Point point : points) {
            if (drawable(point)) {
                run.add(point);
            } else if (!run.isEmpty()) {
                runs.add(run);
                run = new ArrayList<>();
            }
        }
        if (!run.isEmpty()) {
            runs.add(run);
        }
        return runs;
    }

    /** The lowest and the highest of each bucket where there are more points than pixels: peaks stay. */
    private static List<Point> thin(List<Point> run) {
        if (run.size() <= DRAWN) {
            return run;
        }
        int bucket = (2 * run.size() + DRAWN - 1) / DRAWN;
        List<Point> kept = new ArrayList<>();
        for (int start = 0; start < run.size(); start += bucket) {
            List<Point> part = run.subList(start, Math.min(start + bucket, run.size()));
            Point low = part.stream().min(Comparator.comparingDouble(Point::y)).orElseThrow();
            Point high = part.stream().max(Comparator.comparingDouble(Point::y)).orElseThrow();
            boolean lowFirst = part.indexOf(low) < part.indexOf(high);
            kept.add(lowFirst ? low : high);
            kept.add(lowFirst ? high : low);
        }
        return kept;
    }
}
