package dev.graft.eval.claims;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.compare.Outcome;
import dev.graft.eval.compare.Standing;
import dev.graft.eval.compare.Tested;
import dev.graft.eval.compare.Trial;
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
    static Standing standing(String method, int right) {
        List<Double> rows =
                IntStream.range(0, ROWS).mapToObj(i -> i < right ? 1.0 : 0.0).toList();
        List<Double> weights = IntStream.range(0, ROWS).mapToObj(i -> 1.0).toList();
        double score = (double) right / ROWS;
        List<Outcome> outcomes = IntStream.range(0, 2)
                .mapToObj(seed -> new Outcome(
                        new Trial(method, 1e-3, seed),
                        "k",
                        JsonNodeFactory.instance.objectNode(),
                        JsonNodeFactory.instance.objectNode(),
                        1,
                        10,
                        Map.of("accuracy", score),
                        new Tested(Map.of("accuracy", score), rows, weights),
                        Map.of(),
                        List.of(),
                        1,
                        1,
                        null))
                .toList();
        return new Standing(method, "accuracy", outcomes, null, outcomes);
    }

    static Results kinds(int full, int houlsby, int lora) {
        return new Results(Map.of(
                "kinds",
                List.of(standing("full-fine-tuning", full), standing("houlsby", houlsby), standing("lora", lora))));
    }

    @Test
    void nearFullTuningIsAnIntervalAboveTheMargin() {
        assertThat(Claim.A.judge(kinds(300, 310, 305)).verdict()).isEqualTo(Verdict.HOLDS);
        assertThat(Claim.A.judge(kinds(300, 310, 250)).verdict()).isEqualTo(Verdict.CONTRADICTED);
        assertThat(Claim.A.judge(kinds(300, 310, 292)).verdict()).isEqualTo(Verdict.UNDECIDED);
        Finding finding = Claim.A.judge(kinds(300, 310, 250));
        assertThat(finding.parts()).hasSize(2);
        assertThat(finding.parts().get(1).effect().value()).isCloseTo(-0.125, within(1e-12));
        assertThat(finding.parts().get(1).effect().low()).isBetween(-0.17, -0.13);
    }

    @Test
    void whatHasNoScoresIsUntestedNotDecided() {
        assertThat(Claim.C.judge(new Results(Map.of())).verdict()).isEqualTo(Verdict.UNTESTED);
        Results half = new Results(Map.of("kinds", List.of(standing("lora", 300), standing("bitfit", 300))));
        assertThat(Claim.D.judge(half).verdict()).isEqualTo(Verdict.UNTESTED);
        assertThat(Claim.D.judge(half).parts()).hasSize(1);
    }

    @Test
    void errorsOfTwoStudiesAddUpAsSquares() {
        Effect difference = new Effect(-0.10, -0.13, -0.07).minus(new Effect(-0.02, -0.06, 0.02));
        assertThat(difference.value()).isCloseTo(-0.08, within(1e-12));
        assertThat(difference.low()).isCloseTo(-0.13, within(1e-12));
        assertThat(difference.high()).isCloseTo(-0.03, within(1e-12));
        Effect mean = Effect.mean(List.of(new Effect(0.1, 0.04, 0.16), new Effect(0.2, 0.12, 0.28)));
        assertThat(mean.value()).isCloseTo(0.15, within(1e-12));
        assertThat(mean.low()).isCloseTo(0.10, within(1e-12));
        assertThat(mean.shown()).isEqualTo("+15.0 (+10.0 … +20.0)");
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
        Results results = kinds(300, 310, 250);
        ClaimsPage page = new ClaimsPage(
                "minilm", List.of(Claim.A.judge(results)), List.of(), results, Claim.A.studies(), "./graft claims");
        assertThat(Html.render(page.report())).contains("doesn&#39;t hold here").contains("-12.5 (");
        assertThat(Claim.A.judge(results).toJson().at("/verdict").asString()).isEqualTo("contradicted");
    }
}
