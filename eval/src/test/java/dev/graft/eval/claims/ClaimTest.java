package dev.graft.eval.claims;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.compare.MethodResult;
import dev.graft.eval.compare.TestScores;
import dev.graft.eval.compare.Trial;
import dev.graft.eval.compare.TrialOutcome;
import dev.graft.eval.report.Html;
import dev.graft.formats.InputException;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;

class ClaimTest {
    private static final int ROWS = 400;

    /** A method that has so many of 400 rows right, the same in two seeds. */
    static MethodResult standing(String method, int right) {
        List<Double> rows =
                IntStream.range(0, ROWS).mapToObj(i -> i < right ? 1.0 : 0.0).toList();
        List<Double> weights = IntStream.range(0, ROWS).mapToObj(i -> 1.0).toList();
        double score = (double) right / ROWS;
        List<TrialOutcome> outcomes = IntStream.range(0, 2)
                .mapToObj(seed -> new TrialOutcome(
                        new Trial(method, 1e-3, seed),
                        "k",
                        JsonNodeFactory.instance.objectNode(),
                        JsonNodeFactory.instance.objectNode(),
                        1,
                        10,
                        Map.of("accuracy", score),
                        new TestScores(Map.of("accuracy", score), rows, weights),
                        Map.of(),
                        List.of(),
                        1,
                        1,
                        null))
                .toList();
        return new MethodResult(method, "accuracy", outcomes, null, outcomes);
    }

    static StudyResults kinds(int full, int houlsby, int lora) {
        return new StudyResults(Map.of(
                "kinds",
                List.of(standing("full-fine-tuning", full), standing("houlsby", houlsby), standing("lora", lora))));
    }

    @Test
    void nearFullTuningIsAnIntervalAboveTheMargin() {
        assertThat(Claim.A.judge(kinds(300, 310, 305)).verdict()).isEqualTo(ClaimVerdict.HOLDS);
        assertThat(Claim.A.judge(kinds(300, 310, 250)).verdict()).isEqualTo(ClaimVerdict.CONTRADICTED);
        assertThat(Claim.A.judge(kinds(300, 310, 292)).verdict()).isEqualTo(ClaimVerdict.UNDECIDED);
        Finding finding = Claim.A.judge(kinds(300, 310, 250));
        assertThat(finding.evidence()).hasSize(2);
        assertThat(finding.evidence().get(1).effect().value()).isCloseTo(-0.125, within(1e-12));
        assertThat(finding.evidence().get(1).effect().low()).isBetween(-0.17, -0.13);
    }

    @Test
    void whatHasNoScoresIsUntestedNotDecided() {
        assertThat(Claim.C.judge(new StudyResults(Map.of())).verdict()).isEqualTo(ClaimVerdict.UNTESTED);
        StudyResults half = new StudyResults(Map.of("kinds", List.of(standing("lora", 300), standing("bitfit", 300))));
        assertThat(Claim.D.judge(half).verdict()).isEqualTo(ClaimVerdict.UNTESTED);
        assertThat(Claim.D.judge(half).evidence()).hasSize(1);
    }

    @Test
    void errorsOfTwoStudiesAddUpAsSquares() {
        EffectSize difference = new EffectSize(-0.10, -0.13, -0.07).minus(new EffectSize(-0.02, -0.06, 0.02));
        assertThat(difference.value()).isCloseTo(-0.08, within(1e-12));
        assertThat(difference.low()).isCloseTo(-0.13, within(1e-12));
        assertThat(difference.high()).isCloseTo(-0.03, within(1e-12));
        EffectSize mean = EffectSize.mean(List.of(new EffectSize(0.1, 0.04, 0.16), new EffectSize(0.2, 0.12, 0.28)));
        assertThat(mean.value()).isCloseTo(0.15, within(1e-12));
        assertThat(mean.low()).isCloseTo(0.10, within(1e-12));
        assertThat(mean.text()).isEqualTo("+15.0 (+10.0 … +20.0)");
    }

    @Test
    void everyClaimHasStudiesAndALetter() {
        assertThat(Claim.values()).hasSize(7).allSatisfy(claim -> {
            assertThat(Claim.named(claim.id())).isEqualTo(claim);
            assertThat(claim.studies()).isNotEmpty();
        });
        assertThatThrownBy(() -> Claim.named("h"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("a to g");
    }

    @Test
    void thePageShowsVerdictsWithTheirDifferences() {
        StudyResults results = kinds(300, 310, 250);
        ClaimsPage page = new ClaimsPage(
                "minilm", List.of(Claim.A.judge(results)), List.of(), results, Claim.A.studies(), "./graft claims");
        assertThat(Html.render(page.report())).contains("doesn&#39;t hold here").contains("-12.5 (");
        assertThat(Claim.A.judge(results).toJson().at("/verdict").asString()).isEqualTo("contradicted");
    }
}
