package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.RateFinder.Found;
import dev.graft.train.RateFinder.Point;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.data.Order;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;

class RateFinderTest {
    private static final Base LLAMA = Tiny.llama();
    private static final TrainSettings SETTINGS =
            TrainSettings.DEFAULT.with(new Batching(8, 1, Order.LENGTH_GROUPED, true));

    @Test
    void rates_grow_by_the_same_factor_and_the_suggestion_is_where_the_loss_falls() {
        Found found =
                new RateFinder(SETTINGS, Tiny.lora(LLAMA, 0, 7), Tiny.counting(40, 1)).run(1e-5, 1, 60, () -> false);
        assertThat(found.points()).hasSizeGreaterThan(20);
        Point first = found.points().get(0);
        assertThat(first.rate()).isEqualTo(1e-5);
        assertThat(first.smooth()).isEqualTo(first.loss());
        double factor = found.points().get(1).rate() / first.rate();
        assertThat(found.points().get(9).rate() / found.points().get(8).rate())
                .isBetween(0.999 * factor, 1.001 * factor);
        assertThat(found.suggestion()).isNotNull().isBetween(1e-4, found.lowest());
        double lowest = found.points().stream().mapToDouble(Point::smooth).min().orElseThrow();
        assertThat(lowest).isLessThan(0.95 * first.smooth());
    }

    @Test
    void losses_that_are_not_finite_from_the_start_are_an_error() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        adapter.trainable().values().iterator().next().detach().fill_(new Scalar(Double.NaN));
        assertThatThrownBy(() -> new RateFinder(SETTINGS, adapter, Tiny.counting(40, 1)).run(1e-5, 1, 60, () -> false))
                .isInstanceOf(TrainingException.class)
                .hasMessageContaining("no loss of the first steps is finite");
    }
}
