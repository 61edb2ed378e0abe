package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.train.checkpoints.BestScore;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TrainingProgressTest {
    private final AtomicLong clock = new AtomicLong();

    private void seconds(double seconds) {
        clock.addAndGet((long) (seconds * 1e9));
    }

    @Test
    void aSteadyRunHasItsSpeedAndRemainingTime() {
        TrainingProgress progress = new TrainingProgress(10, 110, clock::get);
        assertThat(progress.remaining()).isNull();
        assertThat(progress.tokensPerSecond()).isZero();
        for (int step = 0; step < 40; step++) {
            seconds(0.5);
            progress.step(100);
        }
        assertThat(progress.tokensPerSecond()).isCloseTo(200, within(1e-9));
        assertThat(progress.remaining()).isEqualTo(Duration.ofSeconds(30));
        assertThat(progress.elapsed()).isEqualTo(Duration.ofSeconds(20));
    }

    @Test
    void evaluationTimeDoesNotCountAsTraining() {
        TrainingProgress progress = new TrainingProgress(0, 4, clock::get);
        seconds(1);
        progress.step(50);
        seconds(100);
        progress.pause();
        seconds(1);
        progress.step(50);
        assertThat(progress.tokensPerSecond()).isCloseTo(50, within(1e-9));
        assertThat(progress.remaining()).isEqualTo(Duration.ofSeconds(2));
    }

    @Test
    void aChangeOfSpeedIsHalfSeenAfterTheHalfLife() {
        TrainingProgress progress = new TrainingProgress(0, 10_000, clock::get);
        for (int step = 0; step < 2000; step++) {
            seconds(1);
            progress.step(100);
        }
        for (int step = 0; step < 20; step++) {
            seconds(1);
            progress.step(300);
        }
        assertThat(progress.tokensPerSecond()).isCloseTo(200, within(0.01));
    }

    @Test
    void theBestScoreKnowsItsStepAndIgnoresNan() {
        BestScore best = BestScore.of("loss", false)
                .observe(1, Double.NaN)
                .observe(2, 0.9)
                .observe(3, 0.5)
                .observe(4, 0.5)
                .observe(5, Double.NaN);
        assertThat(best.value()).isEqualTo(0.5);
        assertThat(best.step()).isEqualTo(3);
        assertThat(best.stale()).isEqualTo(2);
        assertThat(best.shouldStop(new EarlyStopping(2, 0))).isTrue();
        assertThat(best.shouldStop(new EarlyStopping(3, 0))).isFalse();
    }

    @Test
    void smallGainsAddUpToProgressButNoneAloneIs() {
        BestScore best = BestScore.of("accuracy", true).observe(1, 0.5, 0.1);
        best = best.observe(2, 0.55, 0.1);
        assertThat(best.stale()).isEqualTo(1);
        assertThat(best.step()).isEqualTo(2);
        best = best.observe(3, 0.62, 0.1);
        assertThat(best.stale()).isZero();
        assertThatThrownBy(() -> new EarlyStopping(0, 0)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new EarlyStopping(1, Double.NaN))
                .hasMessageContaining("early_stopping_threshold is NaN");
    }

    @Test
    void oneBadStepIsSkippedAndTheThirdInARowEndsTheRun() {
        LossGuard guard = new LossGuard(3, 0);
        List<String> rows =
                IntStream.range(0, 10).mapToObj(row -> "a.jsonl:" + row).toList();
        assertThat(guard.accepts(1, 0.5, 2, () -> "the first is w", () -> rows)).isTrue();
        assertThat(guard.accepts(2, Double.NaN, 2, () -> "the first is w", () -> rows))
                .isFalse();
        assertThat(guard.accepts(3, 0.5, 2, () -> "the first is w", () -> rows)).isTrue();
        assertThat(guard.accepts(4, 0.5, Double.POSITIVE_INFINITY, () -> "the first is w", () -> rows))
                .isFalse();
        assertThat(guard.accepts(5, Double.NaN, 1, () -> "the first is w", () -> rows))
                .isFalse();
        assertThatThrownBy(() -> guard.accepts(6, Double.NaN, Double.NaN, () -> "the first is w", () -> rows))
                .isInstanceOf(TrainingException.class)
                .hasMessageContaining("stopped at step 6, 3 step(s) in a row")
                .hasMessageContaining("step 4: loss 0.5, gradient norm Infinity; the first is w")
                .hasMessageContaining("a.jsonl:7] and 2 more")
                .hasMessageNotContaining("step 2:");
    }
}
