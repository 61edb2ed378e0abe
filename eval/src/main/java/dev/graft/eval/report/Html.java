package dev.graft.eval.report;

import dev.graft.eval.report.Section.Bar;
import dev.graft.eval.report.Section.BarChart;
import dev.graft.eval.report.Section.Code;
import dev.graft.eval.report.Section.Confusion;
import dev.graft.eval.report.Section.KeyFigure;
import dev.graft.eval.report.Section.KeyFigures;
import dev.graft.eval.report.Section.LineChart;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.Scatter;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.Table;
import dev.graft.eval.report.Section.Text;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Renders a {@link Report} as one HTML document without external resources or scripts. It follows the reader's light or dark setting, and
 * every figure has a table of its numbers. Equal reports have equal text.
 */
public final class Html {

    private static final String STYLE = style();

    /** More rows than this in the table of a figure are thinned out. */
    private static final int TABLE_ROWS = 1000;

    private Html() {}

    /** Returns the document, to be written in UTF-8. */
    public static String render(Report report) {
        Markup page = new Markup();
        page.markup("<!DOCTYPE html>\n")
                .open("html", "lang", "en")
                .line()
                .open("head")
                .line();
        page.markup("<meta charset=\"utf-8\">\n");
        page.markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.markup("<meta name=\"color-scheme\" content=\"light dark\">\n");
        page.markup("<meta http-equiv=\"Content-Security-Policy\""
                + " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        page.element("title", report.title()).line();
        page.open("style").line().markup(STYLE).close("style").line();
        page.close("head").line().open("body").open("main").line();
        page.open("header").element("h1", report.title());
        if (!report.subtitle().isEmpty()) {
            page.element("p", report.subtitle());
        }
        page.close("header").line();
        for (Section section : report.sections()) {
            page.open("section");
            if (!section.title().isEmpty()) {
                page.element("h2", section.title());
            }
            section(page, section);
            page.close("section").line();
        }
        return page.close("main").close("body").close("html").line().toString();
    }

    private static void section(Markup page, Section section) {
        if (section instanceof KeyFigures figures) {
            keyFigures(page, figures);
        } else if (section instanceof Table table) {
            table(page, table.title(), table.columns(), table.rows());
        } else if (section instanceof LineChart chart) {
            lineChart(page, chart);
        } else if (section instanceof BarChart chart) {
            barChart(page, chart);
        } else if (section instanceof Scatter chart) {
            scatter(page, chart);
        } else if (section instanceof Confusion confusion) {
            confusion(page, confusion);
        } else if (section instanceof Text text) {
            for (String paragraph : text.text().strip().split("\\n\\s*\\n")) {
                page.element("p", paragraph.strip(), "class", "prose");
            }
        } else if (section instanceof Code code) {
            page.open("pre", "tabindex", "0").element("code", code.code()).close("pre");
        }
    }

    private static void keyFigures(Markup page, KeyFigures figures) {
        page.open("dl", "class", "figures");
        for (KeyFigure figure : figures.figures()) {
            page.open("div").element("dt", figure.label()).element("dd", figure.value());
            if (!figure.note().isEmpty()) {
                page.element("dd", figure.note(), "class", "note");
            }
            page.close("div");
        }
        page.close("dl");
    }

    private static void lineChart(Markup page, LineChart chart) {
        LineSvg wide = new LineSvg(chart, 960, 360);
        page.open("figure", "aria-label", chart.title()).open("ul", "class", "legend");
        for (int i = 0; i < chart.series().size(); i++) {
            page.open("li").open("svg", "class", LineSvg.seriesClass(i), "viewBox", "0 0 32 12", "aria-hidden", "true");
            page.empty("path", "d", "M0 6L32 6");
            LineSvg.mark(page, i, 16, 6);
            page.close("svg").text(chart.series().get(i).name()).close("li");
        }
        page.close("ul");
        page.open("div", "class", "wide").markup(wide.render()).close("div");
        page.open("div", "class", "narrow")
                .markup(new LineSvg(chart, 380, 300).render())
                .close("div");
        long undrawable = wide.undrawable();
        if (undrawable > 0) {
            page.element(
                    "figcaption",
                    undrawable + (undrawable == 1 ? " point is" : " points are")
                            + " not drawn: not finite, or not positive on a log scale.");
        }
        List<List<String>> rows = new ArrayList<>();
        long points = 0;
        for (Series series : chart.series()) {
            List<Point> all = series.points();
            points += all.size();
            int every = Math.max(1, (all.size() * chart.series().size() + TABLE_ROWS - 1) / TABLE_ROWS);
            for (int i = 0; i < all.size(); i++) {
                if (i % every == 0 || i == all.size() - 1) {
                    rows.add(List.of(
                            series.name(),
                            Numbers.text(all.get(i).x()),
                            Numbers.text(all.get(i).y())));
                }
            }
        }
        String summary = rows.size() == points
                ? "Data of this figure"
                : "Data of this figure: " + rows.size() + " of " + points + " points, evenly spaced";
        behind(page, summary, chart.title(), List.of("series", chart.xLabel(), chart.yLabel()), rows);
        page.close("figure");
    }

    private static void barChart(Markup page, BarChart chart) {
        page.open("figure", "aria-label", chart.title());
        page.open("div", "class", "wide")
                .markup(new BarSvg(chart, 960, false).render())
                .close("div");
        page.open("div", "class", "narrow")
                .markup(new BarSvg(chart, 380, true).render())
                .close("div");
        List<List<String>> rows = new ArrayList<>();
        for (Bar bar : chart.bars()) {
            rows.add(List.of(bar.label(), Numbers.text(bar.value())));
        }
        behind(page, "Data of this figure", chart.title(), List.of("", chart.valueLabel()), rows);
        page.close("figure");
    }

    private static void scatter(Markup page, Scatter chart) {
        page.open("figure", "aria-label", chart.title());
        page.open("div", "class", "wide")
                .markup(new ScatterSvg(chart, 960, 420).render())
                .close("div");
        page.open("div", "class", "narrow")
                .markup(new ScatterSvg(chart, 380, 360).render())
                .close("div");
        page.element(
                "figcaption",
                "Up: " + chart.yLabel()
                        + ". Filled points are the front: no other is better in one direction and as good"
                        + " in the other.");
        List<List<String>> rows = chart.points().stream()
                .map(point -> List.of(
                        point.name(), Numbers.text(point.x()), Numbers.text(point.y()), point.onFront() ? "yes" : "no"))
                .toList();
        List<String> columns = List.of("", chart.xLabel(), chart.yLabel(), "on the front");
        behind(page, "Data of this figure", chart.title(), columns, rows);
        page.close("figure");
    }

    private static void confusion(Markup page, Confusion confusion) {
        long[][] counts = confusion.counts();
        page.open("figure", "aria-label", confusion.title());
        scroll(page, confusion.title());
        page.markup(new ConfusionSvg(confusion).render()).close("div");
        page.element(
                "figcaption",
                "Rows are true classes, columns predictions. Blue is right, orange wrong; the stronger, the larger its"
                        + " share of the row.");
        List<String> columns = Stream.of(Stream.of("true \\ predicted"), confusion.labels().stream(), Stream.of("rows"))
                .flatMap(part -> part)
                .toList();
        List<List<String>> rows = new ArrayList<>();
        for (int i = 0; i < counts.length; i++) {
            long[] row = counts[i];
            rows.add(Stream.of(
                            Stream.of(confusion.labels().get(i)),
                            Arrays.stream(row).mapToObj(Long::toString),
                            LongStream.of(Arrays.stream(row).sum()).mapToObj(Long::toString))
                    .flatMap(part -> part)
                    .toList());
        }
        behind(page, "Data of this figure", confusion.title(), columns, rows);
        page.close("figure");
    }

    private static void behind(
            Markup page, String summary, String title, List<String> columns, List<List<String>> rows) {
        page.open("details").element("summary", summary);
        table(page, title, columns, rows);
        page.close("details");
    }

    private static void table(Markup page, String title, List<String> columns, List<List<String>> rows) {
        scroll(page, title);
        boolean[] numeric = new boolean[columns.size()];
        for (int j = 0; j < numeric.length; j++) {
            int column = j;
            numeric[j] = !rows.isEmpty() && rows.stream().allMatch(row -> isNumber(row.get(column)));
        }
        page.open("table")
                .element("caption", title, "class", "hidden")
                .open("thead")
                .open("tr");
        for (int j = 0; j < numeric.length; j++) {
            page.element("th", columns.get(j), "scope", "col", "class", numeric[j] ? "number" : "text");
        }
        page.close("tr").close("thead").open("tbody");
        for (List<String> row : rows) {
            page.open("tr");
            for (int j = 0; j < numeric.length; j++) {
                if (j == 0 && !numeric[0]) {
                    page.element("th", row.get(0), "scope", "row");
                } else {
                    page.element("td", row.get(j), "class", numeric[j] ? "number" : "text");
                }
            }
            page.close("tr");
        }
        page.close("tbody").close("table").close("div");
    }

    /** A box that scrolls by itself where the page is narrow, also with the keyboard. */
    private static void scroll(Markup page, String title) {
        page.open("div", "class", "scroll", "role", "region", "aria-label", title, "tabindex", "0");
    }

    private static boolean isNumber(String cell) {
        return cell.matches("[+−-]?[0-9][0-9,.]*(e[+−-]?[0-9]+)?( ?%)?|NaN|−?∞|–|");
    }

    private static String style() {
        try (InputStream css = Html.class.getResourceAsStream("report.css")) {
            return new String(Objects.requireNonNull(css, "report.css").readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read report.css of this jar", e);
        }
    }
}
