package dev.graft.cli.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.eval.cost.Machine;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.run.bench.PageSection;
import dev.graft.run.bench.PeftComparison;
import dev.graft.run.bench.PeftComparisonReport;
import dev.graft.run.bench.Scenario;
import dev.graft.run.bench.ScenarioResult;
import dev.graft.run.bench.ScenarioResult.Measure;
import dev.graft.run.bench.ScenarioResult.Side;
import dev.graft.run.bench.Spread;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Figures of made-up runs: what is said about them is checked, no speed. */
class BenchCompareRunTest {

    private static ScenarioResult.Round round(double tokens, int memory, double loss, double firstStep) {
        return new ScenarioResult.Round(
                Json.parse(
                        "run",
                        "{\"tokens_per_s\": " + tokens + ", \"peak_rss_mb\": " + memory + ", \"loss_first\": " + loss
                                + ", \"loss_last\": 1.5}"),
                firstStep);
    }

    private static ScenarioResult outcome(double graftLoss) {
        return outcome("lora", graftLoss);
    }

    private static ScenarioResult outcome(String method, double graftLoss) {
        ScenarioResult scenarioResult = ScenarioResult.of(Scenario.of(method).get(0));
        scenarioResult
                .of(Side.GRAFT)
                .addAll(List.of(
                        round(200, 500, graftLoss, 2), round(220, 500, graftLoss, 2), round(300, 500, graftLoss, 2)));
        scenarioResult
                .of(Side.TUNED)
                .addAll(List.of(round(100, 1000, 2, 8), round(100, 1000, 2, 8), round(120, 1000, 2, 8)));
        scenarioResult
                .of(Side.DEFAULT)
                .addAll(List.of(round(50, 2000, 2, 9), round(40, 2000, 2, 9), round(60, 2000, 2, 9)));
        return scenarioResult;
    }

    private static PeftComparisonReport report(ScenarioResult... outcomes) {
        return new PeftComparisonReport(
                List.of(outcomes),
                PeftComparison.Plan.full(2),
                Machine.read(),
                Map.of("peft", "0.1"),
                0.25,
                "./graft bench compare");
    }

    @Test
    void ratiosAreTakenWithinARound() {
        ScenarioResult scenarioResult = outcome(2);
        assertThat(scenarioResult.ratio(Side.TUNED, Measure.TOKENS)).isEqualTo(new Spread(2.2, 2, 2.5));
        assertThat(scenarioResult.ratio(Side.DEFAULT, Measure.TOKENS)).isEqualTo(new Spread(5, 4, 5.5));
        assertThat(scenarioResult.ratio(Side.TUNED, Measure.MEMORY).median()).isEqualTo(0.5);
        assertThat(scenarioResult.ratio(Side.TUNED, Measure.FIRST_STEP).median())
                .isEqualTo(0.25);
    }

    @Test
    void lossesThatDifferMakeAComparisonVoid() {
        assertThat(outcome(2.03).lossesAgree()).isTrue();
        assertThat(outcome(2.05).lossesAgree()).isFalse();
        assertThat(outcome(1.9).lossesAgree()).isFalse();
        assertThat(BenchCompareRun.text(report(outcome(1.9)))).contains("this comparison is void");
        assertThat(BenchCompareRun.text(report(outcome(2)))).doesNotContain("void");
        assertThat(BenchCompareRun.text(report(outcome("prompt", 1.9)))).contains("this comparison is void");
        assertThat(BenchCompareRun.text(report(outcome("prefix", 1.9))))
                .contains("the losses can't be compared")
                .doesNotContain("void");
    }

    @Test
    void theTableShowsMediansWithTheSmallestAndTheLargest() {
        assertThat(BenchCompareRun.text(report(outcome(2))))
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
        assertThat(BenchCompareRun.text(report(outcome(2)))).contains("Graft runs the tuned recipe. The first step");
        ScenarioResult rounding = outcome(2);
        rounding.of(Side.GRAFT)
                .add(new ScenarioResult.Round(
                        Json.parse(
                                "run",
                                "{\"tokens_per_s\": 1, \"peak_rss_mb\": 1, \"loss_first\": 2,"
                                        + " \"loss_last\": 1.5, \"int8_gradients\": true}"),
                        2));
        assertThat(BenchCompareRun.text(report(rounding)))
                .contains("the tuned recipe, whose gradients go back through frozen layers in int8. ");
    }

    @Test
    void severalScenariosHaveATableOfTheirRatiosFirst() {
        assertThat(report(outcome(2), outcome(1.9)).markdown())
                .startsWith("|  | tokens/s, Graft / tuned |")
                .contains("| SmolLM2-135M, causal, batch 4 | 2.20 (2.00 to 2.50) | 5.00 (4.00 to 5.50) | 0.50 | 0.25 |"
                        + " agree |\n")
                .contains("| 0.50 | 0.25 | differ: void |\n");
        assertThat(BenchCompareRun.text(report(outcome(2), outcome(1.9))))
                .containsPattern("5.50\\) +0.50 +0.25 +agree\n");
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
        Files.writeString(page, "# A\n" + PageSection.START + "old\n" + PageSection.END + "# B\n");
        new PageSection(page).replace("new\n");
        assertThat(page).hasContent("# A\n" + PageSection.START + "\nnew\n\n" + PageSection.END + "# B\n");
        new PageSection(page).replace("newer\n");
        assertThat(page).hasContent("# A\n" + PageSection.START + "\nnewer\n\n" + PageSection.END + "# B\n");
    }

    @Test
    void aPageWithoutMarksIsLeftAlone(@TempDir Path folder) throws IOException {
        Path page = Files.writeString(folder.resolve("P.md"), PageSection.END + PageSection.START);
        assertThatThrownBy(() -> new PageSection(page).replace("new\n"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(PageSection.START.strip());
        assertThat(page).hasContent(PageSection.END + PageSection.START);
        assertThatThrownBy(() -> new PageSection(folder.resolve("none.md")).check())
                .isInstanceOf(InputException.class);
    }

    @Test
    void thePageOfTheProjectHasTheMarks() {
        new PageSection(Path.of("../PERFORMANCE.md")).check();
    }
}
