package dev.graft.eval.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.graft.eval.report.Section.Bar;
import dev.graft.eval.report.Section.BarChart;
import dev.graft.eval.report.Section.Code;
import dev.graft.eval.report.Section.Confusion;
import dev.graft.eval.report.Section.KeyFigure;
import dev.graft.eval.report.Section.KeyFigures;
import dev.graft.eval.report.Section.LineChart;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.Scatter;
import dev.graft.eval.report.Section.ScatterPoint;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.Table;
import dev.graft.eval.report.Section.Text;
import dev.graft.eval.report.Section.YScale;
import java.io.StringReader;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class HtmlTest {

    private static final String HOSTILE =
            "</title></style></svg><script>alert(1)</script>\"' onload='x' & \u0000\u202Eend";

    @Test
    void everyTextIsEscapedInEveryKindOfSection() throws Exception {
        String html = Html.render(everything(HOSTILE));
        assertThat(html)
                .doesNotContain("<script")
                .doesNotContain("\u0000")
                .doesNotContain("\u202E")
                .contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=&#39;x&#39; &amp; \uFFFD\uFFFDend");
        Document page = parse(html);
        assertThat(page.getElementsByTagName("script").getLength()).isZero();
        assertThat(page.getElementsByTagName("title").item(0).getTextContent()).contains("alert(1)");
        assertThat(page.getElementsByTagName("h1").item(0).getTextContent())
                .isEqualTo(HOSTILE.replace('\u0000', '\uFFFD').replace('\u202E', '\uFFFD'));
    }

    @Property(tries = 100)
    void anyTextLeavesThePageWellFormedAndWithTheSameElements(@ForAll String text) throws Exception {
        assertThat(elements(Html.render(everything("x" + text)))).isEqualTo(elements(Html.render(everything("xy"))));
    }

    @Test
    void thePageRefersToNothingOutsideItself() {
        String html = Html.render(everything("plain"));
        assertThat(html).doesNotContain("http:").doesNotContain("https:").doesNotContain("url(");
        assertThat(Pattern.compile("\\s(src|href|on[a-z]+)=").matcher(html).find())
                .isFalse();
        assertThat(html).contains("default-src 'none'");
    }

    @Test
    void equalReportsGiveEqualTextInAnyLocale() {
        String html = Html.render(everything("plain"));
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            assertThat(Html.render(everything("plain"))).isEqualTo(html);
            Locale.setDefault(Locale.GERMANY);
            assertThat(Html.render(everything("plain"))).isEqualTo(html);
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void everyFigureHasANameAndItsDataInATable() throws Exception {
        Document page = parse(Html.render(everything("plain")));
        var figures = page.getElementsByTagName("figure");
        assertThat(figures.getLength()).isEqualTo(6);
        for (int i = 0; i < figures.getLength(); i++) {
            var figure = (org.w3c.dom.Element) figures.item(i);
            assertThat(figure.getAttribute("aria-label")).isEqualTo("plain");
            assertThat(figure.getElementsByTagName("table").getLength()).isEqualTo(1);
        }
        var images = page.getElementsByTagName("svg");
        for (int i = 0; i < images.getLength(); i++) {
            var image = (org.w3c.dom.Element) images.item(i);
            assertThat(image.getAttribute("aria-hidden") + image.getAttribute("aria-label"))
                    .isNotEmpty();
        }
    }

    @Test
    void pointsThatCannotBeDrawnLeaveAGapAndAreCounted() {
        var points =
                List.of(new Point(0, 1), new Point(1, Double.NaN), new Point(2, 3), new Point(3, 2), new Point(4, -1));
        String linear = Html.render(curve(YScale.LINEAR, points));
        String log = Html.render(curve(YScale.LOG, points));
        assertThat(linear).contains("1 point is not drawn");
        assertThat(log).contains("2 points are not drawn").contains("(log scale)");
        assertThat(paths(linear)).containsExactly("MMLL", "MMLL");
        assertThat(paths(log)).containsExactly("MML", "MML");
        assertThat(linear).contains("<td class=\"number\">NaN</td>");
    }

    @Test
    void noPointAtAllIsSaid() {
        assertThat(Html.render(curve(YScale.LINEAR, List.of()))).contains(">no points</text>");
    }

    @Test
    void longCurvesAreThinnedButKeepTheirPeaks() {
        var points = IntStream.range(0, 100_000)
                .mapToObj(i -> new Point(i, i == 54_321 ? 100 : Math.sin(i / 5000.0)))
                .toList();
        String html = Html.render(curve(YScale.LINEAR, points));
        assertThat(html.length()).isLessThan(200_000);
        String top = Numbers.position(Axis.linear(-1, 100, 312, 12, 5).position(100));
        assertThat(html)
                .containsPattern("L[0-9.]+ " + Pattern.quote(top) + "[LM]")
                .contains(" of 100000 points");
    }

    @Test
    void aConfusionMatrixShowsItsCountsAndNothingForZero() {
        var confusion = new Confusion("c", List.of("a", "b"), new long[][] {{3, 1}, {0, 123_456}});
        String svg = new ConfusionSvg(confusion).render();
        assertThat(svg)
                .contains("2 classes, 123459 of 123460 rows on the diagonal")
                .contains(">3</text>")
                .contains(">123k</text>")
                .contains("a predicted as b: 1 of 4")
                .doesNotContain(">0</text>");
    }

    @Test
    void longNamesAreCutInDrawingsAndWholeInTitles() {
        String name = "a very long name of a class that nobody can read in a chart";
        String svg = new ConfusionSvg(new Confusion("c", List.of(name), new long[][] {{1}})).render();
        assertThat(svg).contains("<title>" + name + "</title>a very long name of a c…</text>");
        assertThat(SvgText.cut("名詞の種類のひとつ", 9)).isEqualTo("名詞の種…");
    }

    @Test
    void negativeBarsGoLeftFromZero() {
        String svg = new BarSvg(new BarChart("b", "points", List.of(new Bar("x", -2), new Bar("y", 4))), 400, false)
                .render();
        var bars = Pattern.compile("class=\"bar\" x=\"([0-9.]+)\" y=\"[0-9.]+\" width=\"([0-9.]+)\"")
                .matcher(svg)
                .results()
                .map(match -> new double[] {Double.parseDouble(match.group(1)), Double.parseDouble(match.group(2))})
                .toList();
        assertThat(bars).hasSize(2);
        assertThat(bars.get(0)[0] + bars.get(0)[1])
                .isCloseTo(bars.get(1)[0], org.assertj.core.api.Assertions.within(0.11));
        assertThat(bars.get(1)[1] / bars.get(0)[1]).isCloseTo(2, org.assertj.core.api.Assertions.within(0.01));
    }

    @Test
    void numbersAreWrittenShortAndTheSameEverywhere() {
        assertThat(List.of(0.0, -0.0, 0.1 + 0.2, 1234567.8, -0.5, 1e-7, 2.5e12, Double.NEGATIVE_INFINITY))
                .extracting(Numbers::text)
                .containsExactly("0", "0", "0.3", "1234570", "−0.5", "1e-7", "2.5e12", "−∞");
    }

    @Test
    void numericColumnsAreAlignedRight() {
        String html = Html.render(new Report(
                "t",
                "",
                List.of(new Table(
                        "t",
                        List.of("run", "score", "mixed"),
                        List.of(List.of("a", "0.5", "1"), List.of("b", "12 %", "none"))))));
        assertThat(html)
                .contains("<th scope=\"col\" class=\"number\">score</th><th scope=\"col\" class=\"text\">mixed</th>");
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Table("t", List.of("a", "b"), List.of(List.of("1"))))
                .withMessage("row 0 of the table \"t\" has 1 cells, expected 2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Confusion("c", List.of("a", "b"), new long[][] {{1, 2}}));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Confusion("c", List.of("a", "b"), new long[][] {{1, 2}, {3}}));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Confusion("c", List.of("a"), new long[][] {{-1}}))
                .withMessageContaining("-1");
        assertThatIllegalArgumentException().isThrownBy(() -> new Bar("b", Double.NaN));
    }

    private static Report everything(String text) {
        var series = List.of(
                new Series(text, List.of(new Point(0, 3), new Point(1, 2), new Point(2, 1.5))),
                new Series(text, List.of(new Point(0, 2))));
        return new Report(
                text,
                text,
                List.of(
                        new KeyFigures(text, List.of(new KeyFigure(text, text, text))),
                        new Text(text, text.replaceAll("\\s", " ")),
                        new Table(text, List.of(text, text), List.of(List.of(text, text))),
                        new LineChart(text, text, text, YScale.LINEAR, series),
                        new LineChart(text, text, text, YScale.LOG, series),
                        new BarChart(text, text, List.of(new Bar(text, 1.5), new Bar(text, -1))),
                        new Scatter(
                                text,
                                text,
                                text,
                                List.of(new ScatterPoint(text, 1, 2, true), new ScatterPoint(text, 300, 3, true))),
                        new Scatter(text, text, text, List.of(new ScatterPoint(text, 0, 2, false))),
                        new Confusion(text, List.of(text, text), new long[][] {{5, 1}, {0, 7}}),
                        new Code(text, text)));
    }

    private static Report curve(YScale scale, List<Point> points) {
        return new Report(
                "r", "", List.of(new LineChart("c", "step", "loss", scale, List.of(new Series("s", points)))));
    }

    /** The commands of the curves' paths, without the legend's. */
    private static List<String> paths(String html) {
        return Pattern.compile("</title><path d=\"([^\"]*)\"")
                .matcher(html)
                .results()
                .map(match -> match.group(1).replaceAll("[^ML]", ""))
                .toList();
    }

    private static List<String> elements(String html) throws Exception {
        var all = parse(html).getElementsByTagName("*");
        return IntStream.range(0, all.getLength())
                .mapToObj(i -> all.item(i).getNodeName())
                .toList();
    }

    /** Apart from the doctype and void elements the page is XML, and so a strict parser can read it. */
    private static Document parse(String html) throws Exception {
        String xml = html.replace("<!DOCTYPE html>", "").replaceAll("(<meta [^>]*)>", "$1/>");
        var builder = DocumentBuilderFactory.newInstance().newDocumentBuilder();
        builder.setErrorHandler(null);
        return builder.parse(new InputSource(new StringReader(xml)));
    }

    @Test
    void aScatterJoinsItsFrontAndNamesEveryPoint() {
        Scatter chart = new Scatter(
                "score against cost",
                "cost",
                "score",
                List.of(
                        new ScatterPoint("small", 10, 0.5, true),
                        new ScatterPoint("beaten", 500, 0.4, false),
                        new ScatterPoint("large", 1e5, 0.7, true)));
        String html = Html.render(new Report("r", "", List.of(chart)));

        assertThat(html).contains(">small<", ">beaten<", ">large<").contains("<th scope=\"row\">beaten</th>");
        assertThat(Pattern.compile("class=\"mark\"").matcher(html).results().count())
                .isEqualTo(4);
        assertThat(Pattern.compile("<path d=\"M[0-9. ]+L[0-9. ]+\"")
                        .matcher(html)
                        .results()
                        .count())
                .isEqualTo(2);
        assertThatIllegalArgumentException().isThrownBy(() -> new ScatterPoint("x", Double.NaN, 1, true));
    }
}
