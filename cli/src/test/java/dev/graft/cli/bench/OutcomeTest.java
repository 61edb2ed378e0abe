package dev.graft.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.cli.bench.Outcome.Figure;
import dev.graft.cli.bench.Outcome.Side;
import dev.graft.eval.cost.Machine;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Figures of made-up runs: what is said about them is checked, no speed. */
class OutcomeTest {

    private static Outcome.Round round(double tokens, int memory, double loss, double firstStep) {
        return new Outcome.Round(
                Json.parse(
                        "run",
                        "{\"tokens_per_s\": " + tokens + ", \"peak_rss_mb\": " + memory + ", \"loss_first\": " + loss
                                + ", \"loss_last\": 1.5}"),
                firstStep);
    }

    private static Outcome outcome(double graftLoss) {
        return outcome("lora", graftLoss);
    }

    private static Outcome outcome(String method, double graftLoss) {
        Outcome outcome = Outcome.of(Scenario.of(method).get(0));
        outcome.of(Side.GRAFT)
                .addAll(List.of(
                        round(200, 500, graftLoss, 2), round(220, 500, graftLoss, 2), round(300, 500, graftLoss, 2)));
        outcome.of(Side.TUNED).addAll(List.of(round(100, 1000, 2, 8), round(100, 1000, 2, 8), round(120, 1000, 2, 8)));
        outcome.of(Side.DEFAULT).addAll(List.of(round(50, 2000, 2, 9), round(40, 2000, 2, 9), round(60, 2000, 2, 9)));
        return outcome;
    }

    private static ComparisonReport report(Outcome... outcomes) {
        return new ComparisonReport(
                List.of(outcomes),
                Comparison.Plan.full(2),
                Machine.read(),
                Map.of("peft", "0.1"),
                0.25,
                "./graft bench compare");
    }

    @Test
    void ratiosAreTakenWithinARound() {
        Outcome outcome = outcome(2);
        assertThat(outcome.ratio(Side.TUNED, Figure.TOKENS)).isEqualTo(new Spread(2.2, 2, 2.5));
        assertThat(outcome.ratio(Side.DEFAULT, Figure.TOKENS)).isEqualTo(new Spread(5, 4, 5.5));
        assertThat(outcome.ratio(Side.TUNED, Figure.MEMORY).median()).isEqualTo(0.5);
        assertThat(outcome.ratio(Side.TUNED, Figure.FIRST_STEP).median()).isEqualTo(0.25);
    }

    @Test
    void lossesThatDifferMakeAComparisonVoid() {
        assertThat(outcome(2.03).lossesAgree()).isTrue();
        assertThat(outcome(2.05).lossesAgree()).isFalse();
        assertThat(outcome(1.9).lossesAgree()).isFalse();
        assertThat(report(outcome(1.9)).text()).contains("this comparison is void");
        assertThat(report(outcome(2)).text()).doesNotContain("void");
        assertThat(report(outcome("prompt", 1.9)).text()).contains("this comparison is void");
        assertThat(report(outcome("prefix", 1.9)).text())
                .contains("the losses can't be compared")
                .doesNotContain("void");
    }

    @Test
    void theTableShowsMediansWithTheSmallestAndTheLargest() {
        assertThat(report(outcome(2)).text())
                .contains("SmolLM2-135M, causal, batch 4\n")
                .containsPattern(
                        "tokens/s +220.0 \\(200.0 to 300.0\\) .* 2.20 \\(2.00 to 2.50\\) +5.00 \\(4.00 to 5.50\\)\n")
                .containsPattern("peak memory, MiB +500 +1000 +2000 +0.50 +0.25\n");
        assertThat(report(outcome(2)).markdown())
                .contains("| peak memory, MiB | 500 | 1000 | 2000 | 0.50 | 0.25 |\n")
                .contains("3 rounds in turns, 12 steps after 3 of warm-up, 2 threads")
                .contains("; peft 0.1; load before: 0.25.")
                .endsWith("```\n./graft bench compare\n```\n");
    }

    @Test
    void itIsSaidHowGradientsGoBack() {
        assertThat(report(outcome(2)).text()).contains("Graft runs the tuned recipe. The first step");
        Outcome rounding = outcome(2);
        rounding.of(Side.GRAFT)
                .add(new Outcome.Round(
                        Json.parse(
                                "run",
                                "{\"tokens_per_s\": 1, \"peak_rss_mb\": 1, \"loss_first\": 2,"
                                        + " \"loss_last\": 1.5, \"int8_gradients\": true}"),
                        2));
        assertThat(report(rounding).text())
                .contains("the tuned recipe, whose gradients go back through frozen layers in int8. ");
    }

    @Test
    void severalScenariosHaveATableOfTheirRatiosFirst() {
        assertThat(report(outcome(2), outcome(1.9)).markdown())
                .startsWith("|  | tokens/s, Graft / tuned |")
                .contains(
                        "| SmolLM2-135M, causal, batch 4 | 2.20 (2.00 to 2.50) | 5.00 (4.00 to 5.50) | 0.50 | 0.25 | agree |\n")
                .contains("| 0.50 | 0.25 | differ: void |\n");
        assertThat(report(outcome(2), outcome(1.9)).text()).containsPattern("5.50\\) +0.50 +0.25 +agree\n");
        assertThat(report(outcome(2)).markdown()).startsWith("### SmolLM2");
    }

    @Test
    void methodsHaveGraftsNamesAndThePeers() {
        assertThat(Scenario.METHODS.stream().map(Scenario::peerName))
                .containsExactly("lora", "dora", "ia3", "prompt", "prefix");
        assertThat(Scenario.peerName("prefix")).isEqualTo("prefix");
        assertThat(Scenario.peerName("oft")).isNull();
    }

    @Test
    void programsReadRunsAndRatios() {
        JsonNode json = Json.parse("report", report(outcome(2)).json());
        JsonNode scenario = json.at("/scenarios/0");
        assertThat(scenario.at("/ratios/tokens_per_s/tuned/median").doubleValue())
                .isEqualTo(2.2);
        assertThat(scenario.at("/ratios/peak_rss_mb/default/max").doubleValue()).isEqualTo(0.25);
        assertThat(scenario.at("/runs/graft/2/tokens_per_s").doubleValue()).isEqualTo(300);
        assertThat(scenario.at("/runs/tuned/0/one_step_process_s").doubleValue())
                .isEqualTo(8);
        assertThat(scenario.get("losses_agree").booleanValue()).isTrue();
        assertThat(json.at("/versions/peft").stringValue()).isEqualTo("0.1");
    }

    @Test
    void figuresReplaceThoseBetweenTheMarks(@TempDir Path folder) throws IOException {
        Path page = folder.resolve("P.md");
        Files.writeString(page, "# A\n" + RecordedFigures.START + "old\n" + RecordedFigures.END + "# B\n");
        new RecordedFigures(page).replace("new\n");
        assertThat(page).hasContent("# A\n" + RecordedFigures.START + "\nnew\n\n" + RecordedFigures.END + "# B\n");
        new RecordedFigures(page).replace("newer\n");
        assertThat(page).hasContent("# A\n" + RecordedFigures.START + "\nnewer\n\n" + RecordedFigures.END + "# B\n");
    }

    @Test
    void aPageWithoutMarksIsLeftAlone(@TempDir Path folder) throws IOException {
        Path page = Files.writeString(folder.resolve("P.md"), RecordedFigures.END + RecordedFigures.START);
        assertThatThrownBy(() -> new RecordedFigures(page).replace("new\n"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(RecordedFigures.START.strip());
        assertThat(page).hasContent(RecordedFigures.END + RecordedFigures.START);
        assertThatThrownBy(() -> new RecordedFigures(folder.resolve("none.md")).check())
                .isInstanceOf(InputException.class);
    }

    @Test
    void thePageOfTheProjectHasTheMarks() {
        new RecordedFigures(Path.of("../PERFORMANCE.md")).check();
    }
}
