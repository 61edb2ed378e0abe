package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.LearningRateFinder.Point;
import dev.graft.train.LearningRateFinder.Result;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;

class LearningRateFinderTest {
    private static final Base LLAMA = Tiny.llama();
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT.withBatchSize(8);

    @Test
    void ratesGrowByTheSameFactorAndTheSuggestionIsWhereTheLossFalls() {
        Result result = new LearningRateFinder(SETTINGS, Tiny.lora(LLAMA, 0, 7), Tiny.counting(40, 1))
                .run(1e-5, 1, 60, () -> false);
        assertThat(result.points()).hasSizeGreaterThan(20);
        Point first = result.points().get(0);
        assertThat(first.rate()).isEqualTo(1e-5);
        assertThat(first.smooth()).isEqualTo(first.loss());
        double factor = result.points().get(1).rate() / first.rate();
        assertThat(result.points().get(9).rate() / result.points().get(8).rate())
                .isBetween(0.999 * factor, 1.001 * factor);
        assertThat(result.suggestion()).isNotNull().isBetween(1e-4, result.lowest());
        double lowest =
                result.points().stream().mapToDouble(Point::smooth).min().orElseThrow();
        assertThat(lowest).isLessThan(0.95 * first.smooth());
    }

    @Test
    void lossesThatAreNotFiniteFromTheStartAreAnError() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        adapter.trainable().values().iterator().next().detach().fill_(new Scalar(Double.NaN));
        assertThatThrownBy(() ->
                        new LearningRateFinder(SETTINGS, adapter, Tiny.counting(40, 1)).run(1e-5, 1, 60, () -> false))
                .isInstanceOf(TrainingException.class)
                .hasMessageContaining("no loss of the first steps is finite");
    }
}
