package dev.graft.eval.claims;

import dev.graft.eval.claims.Finding.Part;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.report.Report;
import dev.graft.eval.report.Section;
import dev.graft.eval.report.Section.Point;
import dev.graft.eval.report.Section.Series;
import dev.graft.eval.report.Section.YScale;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The findings as a page for people.
 *
 * @param model the base
 * @param grids what was investigated beside claims
 * @param command that made it
 */
public record ClaimsPage(
        String model, List<Finding> findings, List<Grid> grids, Results results, List<Study> studies, String command) {
    public ClaimsPage {
        findings = List.copyOf(findings);
        grids = List.copyOf(grids);
        studies = List.copyOf(studies);
    }

    /** The page. */
    public Report report() {
        List<Section> sections = new ArrayList<>();
        if (!findings.isEmpty()) {
            sections.add(new Section.Table(
                    "Verdicts",
                    List.of("claim", "the survey says", "verdict", "difference in points (95 %)", "asked", "it says"),
                    rows()));
        }
        grids.forEach(grid -> sections.add(grid.section()));
        Map<String, List<Point>> curves = new LinkedHashMap<>();
        List<List<String>> scores = new ArrayList<>();
        for (Study study : studies) {
            for (String name : study.names()) {
                for (Standing standing : Investigation.scored(results, name)) {
                    scores.add(List.of(
                            name,
                            study.twin() ? "twin" : "real",
                            standing.method(),
                            String.format(Locale.ROOT, "%.4f", standing.score()),
                            Integer.toString(standing.outcomes().size())));
                }
            }
            if (study.shots() > 0) {
                for (Standing standing : Investigation.scored(results, study.name())) {
                    curves.computeIfAbsent(standing.method(), method -> new ArrayList<>())
                            .add(new Point(Math.log(study.shots()) / Math.log(2), standing.score()));
                }
            }
        }
        if (!curves.isEmpty()) {
            sections.add(new Section.LineChart(
                    "Few rows",
                    "rows of each class, as powers of two",
                    "score",
                    YScale.LINEAR,
                    curves.entrySet().stream()
                            .map(curve -> new Series(curve.getKey(), curve.getValue()))
                            .toList()));
        }
        sections.add(new Section.Table("Scores", List.of("study", "rows are", "method", "score", "seeds"), scores));
        sections.add(new Section.Text(
                "How it was measured",
                "Each study trains its methods on the same rows of one base, searches the same number of learning rates for each on"
                        + " validation rows, and scores test rows once. A difference is taken on the same test rows; its interval"
                        + " draws rows and seeds again a thousand times. Differences of differences take both errors as"
                        + " independent, also where one training is scored on two data sets. A claim holds if the whole interval meets what is asked, doesn't hold if the whole interval"
                        + " misses it, and is undecided between. A small base says nothing certain of a large one."));
        sections.add(new Section.Code("Command", command));
        return new Report("The survey's claims on " + model, findings.size() + " claims", sections);
    }

    private List<List<String>> rows() {
        List<List<String>> rows = new ArrayList<>();
        for (Finding finding : findings) {
            rows.add(List.of(
                    finding.claim().id(),
                    finding.claim().statement(),
                    finding.verdict().words(),
                    "",
                    "",
                    ""));
            for (Part part : finding.parts()) {
                rows.add(List.of(
                        "",
                        part.what(),
                        "",
                        part.effect().shown(),
                        part.condition(),
                        part.verdict().words()));
            }
        }
        return rows;
    }
}
