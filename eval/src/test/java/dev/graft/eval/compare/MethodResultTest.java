package dev.graft.eval.compare;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.eval.metrics.Bootstrap.Interval;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;

class MethodResultTest {
    private static final int ROWS = 400;

    /** An outcome that has every so manyth row wrong. */
    private static TrialOutcome outcome(long seed, double rate, int wrong, double step) {
        return outcome(new Trial("m", rate, seed), 10, wrong, step);
    }

    /** An outcome of a method that trains so many of a thousand numbers. */
    static TrialOutcome outcome(String method, long trainable, int wrong) {
        return outcome(new Trial(method, 1e-3, 1), trainable, wrong, 0.1);
    }

    private static TrialOutcome outcome(Trial trial, long trainable, int wrong, double step) {
        List<Double> rows = IntStream.range(0, ROWS)
                .mapToObj(row -> (row + trial.seed()) % wrong == 0 ? 0.0 : 1.0)
                .toList();
        double accuracy = rows.stream().mapToDouble(value -> value).average().orElseThrow();
        return new TrialOutcome(
                trial,
                "k",
                JsonNodeFactory.instance.objectNode(),
                JsonNodeFactory.instance.objectNode(),
                trainable,
                1000,
                Map.of(),
                new TestScores(Map.of("accuracy", accuracy, "loss", 0.7), rows, Collections.nCopies(ROWS, 1.0)),
                Map.of(),
                List.of(),
                1,
                step,
                null);
    }

    private static MethodResult standing(String metric, int wrong) {
        return new MethodResult(
                "m",
                metric,
                List.of(outcome(1, 1e-3, wrong, 3), outcome(1, 3e-3, wrong, 1), outcome(1, 3e-4, wrong, 2)),
                null,
                List.of(outcome(1, 1e-3, wrong, 3), outcome(2, 1e-3, wrong, 3)));
    }

    @Test
    void theIntervalHoldsTheScoreAndIsAsWideAsSamplingMakesIt() {
        MethodResult result = standing("accuracy", 4);
        Interval interval = Objects.requireNonNull(result.interval());

        assertThat(result.score()).isEqualTo(0.75);
        assertThat(result.seedRange()).isEqualTo(new Interval(0.75, 0.75));
        // One seed drawn twice: 1.96 · sqrt(.75 · .25 / 400) = 0.042.
        assertThat(interval.low()).isCloseTo(0.75 - 0.036, within(0.015));
        assertThat(interval.high()).isCloseTo(0.75 + 0.036, within(0.015));
    }

    @Test
    void aDifferenceIsTakenOnTheSameRows() {
        MethodResult better = standing("accuracy", 8);
        MethodResult worse = standing("accuracy", 4);
        Interval gain = Objects.requireNonNull(better.differenceTo(worse));

        assertThat(gain.low()).isPositive().isLessThan(0.125);
        assertThat(gain.high()).isGreaterThan(0.125);
    }

    @Test
    void aMetricThatIsNoMeanOverRowsHasNoInterval() {
        assertThat(standing("loss", 4).interval()).isNull();
        assertThat(standing("loss", 4).score()).isEqualTo(0.7);
    }

    @Test
    void tellsARateAtTheEdgeOfTheSearch() {
        assertThat(standing("accuracy", 4).isLearningRateAtEdge()).isFalse();
        MethodResult edge = new MethodResult(
                "m",
                "accuracy",
                List.of(outcome(1, 1e-3, 4, 1), outcome(1, 3e-3, 4, 1)),
                null,
                List.of(outcome(1, 3e-3, 4, 1)));
        assertThat(edge.isLearningRateAtEdge()).isTrue();
        assertThat(standing("accuracy", 4).trainablePercent()).isEqualTo(1);
        assertThat(standing("accuracy", 4).stepSeconds()).isEqualTo(2);
    }
}
