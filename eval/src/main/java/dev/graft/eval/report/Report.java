package dev.graft.eval.report;

import java.util.List;

/**
 * A page of sections under a title.
 *
 * <pre>{@code
 * var report = new Report("LoRA on MiniLM", "25 kinds of noun", List.of(
 *         new Section.KeyFigures("Result", List.of(new Section.KeyFigure("accuracy", "0.765", "probe: 0.647"))),
 *         new Section.Code("Next", "graft predict --adapter out/adapter")));
 * AtomicWrite.text(Path.of("out/report.html"), Html.render(report));
 * }</pre>
 *
 * @param subtitle one line under the title; may be empty
 */
public record Report(String title, String subtitle, List<Section> sections) {

    public Report {
        sections = List.copyOf(sections);
    }
}
