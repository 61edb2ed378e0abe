package dev.graft.eval.claims;

import dev.graft.eval.claims.Finding.Evidence;
import dev.graft.eval.compare.MethodResult;
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
 * The findings about the claims as a page.
 *
 * @param model the name of the base
 * @param tables tables of further investigations
 * @param command the command that wrote the page
 */
public record ClaimsPage(
        String model,
        List<Finding> findings,
        List<ScoreTable> tables,
        StudyResults results,
        List<Study> studies,
        String command) {
    public ClaimsPage {
        findings = List.copyOf(findings);
        tables = List.copyOf(tables);
        studies = List.copyOf(studies);
    }

    /** Returns the page. */
    public Report report() {
        List<Section> sections = new ArrayList<>();
        if (!findings.isEmpty()) {
            sections.add(new Section.Table(
                    "Verdicts",
                    List.of("claim", "the survey says", "verdict", "difference in points (95 %)", "asked", "it says"),
                    rows()));
        }
        tables.forEach(table -> sections.add(table.section()));
        Map<String, List<Point>> curves = new LinkedHashMap<>();
        List<List<String>> scores = new ArrayList<>();
        for (Study study : studies) {
            for (String name : study.names()) {
                for (MethodResult result : Investigation.scored(results, name)) {
                    scores.add(List.of(
                            name,
                            study.twin() ? "twin" : "real",
                            result.method(),
                            String.format(Locale.ROOT, "%.4f", result.score()),
                            Integer.toString(result.outcomes().size())));
                }
            }
            if (study.shots() > 0) {
                for (MethodResult result : Investigation.scored(results, study.name())) {
                    curves.computeIfAbsent(result.method(), method -> new ArrayList<>())
                            .add(new Point(Math.log(study.shots()) / Math.log(2), result.score()));
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
                "Each study trains its methods on the same rows of one base, searches the same number of learning"
                        + " rates for each on validation rows, and scores test rows once. A difference is taken on the"
                        + " same test rows; its interval draws rows and seeds again a thousand times. Differences of"
                        + " differences take both errors as independent, also where one training is scored on two data"
                        + " sets. A claim holds if the whole interval meets what is asked, doesn't hold if the whole"
                        + " interval misses it, and is undecided between. A small base says nothing certain of a large"
                        + " one."));
        sections.add(new Section.Code("Command", command));
        return new Report("The survey's claims on " + model, findings.size() + " claims", sections);
    }

    private List<List<String>> rows() {
        List<List<String>> rows = new ArrayList<>();
        for (Finding finding : findings) {
            rows.add(List.of(
                    finding.claim(), finding.statement(), finding.verdict().words(), "", "", ""));
            for (Evidence evidence : finding.evidence()) {
                rows.add(List.of(
                        "",
                        evidence.what(),
                        "",
                        evidence.effect().text(),
                        evidence.condition(),
                        evidence.verdict().words()));
            }
        }
        return rows;
    }
}
