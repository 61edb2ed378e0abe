package dev.graft.eval.compare;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.eval.compare.Footprint.Latency;
import dev.graft.eval.compare.Footprint.MemoryFootprint;
import dev.graft.eval.compare.Footprint.Modularity;
import dev.graft.eval.report.Html;
import dev.graft.eval.report.Section;
import dev.graft.eval.report.Section.Scatter;
import dev.graft.eval.report.Section.ScatterPoint;
import dev.graft.eval.report.Section.Table;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;

class ComparisonPageTest {
    private final List<Section> sections = new ComparisonPage(
                    ComparisonTest.experiment(2),
                    List.of(
                            standing("frozen-base", 0, 8, null),
                            standing("lora", 100, 16, footprint("lora", 100, true)),
                            standing("full-fine-tuning", 1000, 12, footprint("full-fine-tuning", 1000, true)),
                            standing("prompt-tuning", 10, 10, footprint("prompt-tuning", 10, false))),
                    "frozen-base",
                    "./graft compare x")
            .report()
            .sections();

    /** A method that has one row in so many wrong. */
    private static MethodResult standing(String method, long trainable, int wrong, @Nullable Footprint cost) {
        TrialOutcome outcome = MethodResultTest.outcome(method, trainable, wrong);
        return new MethodResult(method, "accuracy", List.of(outcome), cost, List.of(outcome));
    }

    private static Footprint footprint(String method, long trainable, boolean merges) {
        return new Footprint(
                method,
                "k",
                trainable,
                1000,
                4000,
                0.1,
                2000,
                new MemoryFootprint(4000, 400, 400, 800, 500_000_000, 100_000),
                new Latency(0.010, 0.020),
                new Latency(0.012, 0.024),
                merges ? new Latency(0.010, 0.020) : null,
                new Modularity(true, true, merges, true),
                2,
                JsonNodeFactory.instance.objectNode());
    }

    private Table table(String title) {
        return sections.stream()
                .filter(section -> section.title().startsWith(title))
                .map(Table.class::cast)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void theFirstTableHasShareInferenceAndModularityBesideTheSurvey() {
        assertThat(table("Table 1").rows())
                .containsExactly(
                        List.of(
                                "lora",
                                "10 % (high)",
                                "below 1 %: disagrees",
                                "1.20 × (low)",
                                "low: agrees",
                                "1.00 ×",
                                "yes",
                                "no: disagrees"),
                        List.of(
                                "full-fine-tuning",
                                "100 % (all)",
                                "100 %: agrees",
                                "1.20 × (low)",
                                "",
                                "1.00 ×",
                                "yes",
                                ""),
                        List.of(
                                "prompt-tuning",
                                "1.0 % (moderate)",
                                "below 0.1 %: disagrees",
                                "1.20 × (low)",
                                "",
                                "can't be merged",
                                "doesn't stand beside others",
                                ""));
    }

    @Test
    void memoryAndSpeedAreBesideFullFineTuningAndHeldAgainstTheSurvey() {
        assertThat(table("Table 2").rows())
                .anySatisfy(row -> assertThat(row)
                        .startsWith("prompt-tuning")
                        .contains("1.00 × (high)", "very low: disagrees", "1.00 × (moderate)", "very fast: disagrees"));
        assertThat(SurveyTables.memory(0.1)).isEqualTo("very low");
        assertThat(SurveyTables.memory(0.76)).isEqualTo("high");
        assertThat(SurveyTables.speed(0.5)).isEqualTo("very fast");
        assertThat(SurveyTables.speed(1.01)).isEqualTo("slow");
        assertThat(SurveyTables.inference(1.05)).isEqualTo("none");
        assertThat(SurveyTables.inference(1.6)).isEqualTo("high");
    }

    @Test
    void theSecondTableHasCostAndScore() {
        assertThat(table("Table 2").rows())
                .hasSize(3)
                .first()
                .satisfies(row -> assertThat(row)
                        .startsWith("lora", "100", "0.0", "500.0")
                        .endsWith("0.9375"));
    }

    @Test
    void methodsAreInTheOrderOfTheirScores() {
        assertThat(table("What it buys").rows())
                .extracting(row -> row.get(0))
                .containsExactly("lora", "full-fine-tuning", "prompt-tuning", "frozen-base");
    }

    @Test
    void theFrontHasWhatNothingBeats() {
        Scatter scatter = sections.stream()
                .filter(section -> section.title().equals("Score against trained parameters"))
                .map(Scatter.class::cast)
                .findFirst()
                .orElseThrow();

        assertThat(scatter.points().stream().filter(ScatterPoint::onFront).map(ScatterPoint::name))
                .containsExactlyInAnyOrder("lora", "prompt-tuning");
    }

    @Test
    void thePageIsWholeWithNothingMeasured() {
        ComparisonPage empty = new ComparisonPage(ComparisonTest.experiment(2), List.of(), "frozen-base", "c");

        assertThat(Html.render(empty.report())).contains("How it was measured");
    }
}
