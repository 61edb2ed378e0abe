package dev.graft.train.schedules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.train.schedules.Schedule.Timeline;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ScheduleTest {
    private static final Timeline SPAN = new Timeline(5, 20, 1e-3);

    @TestFactory
    Stream<DynamicTest> equalsTransformersAtEveryStep() {
        JsonNode cases = new JsonMapper()
                .readTree(Path.of("../parity/fixtures/maths/schedules.json"))
                .get("cases");
        assertThat(cases).hasSizeGreaterThan(10);
        return cases.valueStream().map(fixture -> {
            String name = fixture.get("name").asString();
            Map<String, Object> options = new LinkedHashMap<>();
            fixture.get("options")
                    .properties()
                    .forEach(option ->
                            options.put(option.getKey(), option.getValue().numberValue()));
            Timeline timeline = new Timeline(
                    fixture.get("warmup_steps").asInt(),
                    fixture.get("total_steps").asInt(),
                    fixture.get("base_lr").asDouble());
            return DynamicTest.dynamicTest(name + " " + timeline + " " + options, () -> {
                Schedule schedule = ScheduleFactory.create(name, timeline, options);
                JsonNode expected = fixture.get("lr_used_at_step");
                for (int step = 0; step < expected.size(); step++) {
                    assertThat(timeline.learningRate() * schedule.factor(step))
                            .as("step %d", step)
                            .isCloseTo(expected.get(step).asDouble(), within(1e-17));
                }
            });
        });
    }

    @Test
    void eagerCosineTrainsAtStepZeroAndEndsAtItsLowestRate() {
        Schedule schedule = ScheduleFactory.create("cosine_warmup_with_min_lr", SPAN, Map.of("min_lr", 1e-4));
        assertThat(schedule.factor(0)).isEqualTo(0.2);
        assertThat(schedule.factor(4)).isEqualTo(1);
        assertThat(schedule.factor(19)).isCloseTo(0.1, within(1e-12));
        Schedule started = ScheduleFactory.create(
                "cosine_warmup_with_min_lr", SPAN, Map.of("min_lr_rate", 0.1, "warmup_lr_rate", 0.4));
        assertThat(started.factor(0)).isEqualTo(0.4);
        assertThat(started.factor(2)).isCloseTo(0.7, within(1e-12));
    }

    @Test
    void warmupStableDecayFollowsItsCurves() {
        Schedule schedule = ScheduleFactory.create(
                "warmup_stable_decay",
                SPAN,
                Map.of("num_decay_steps", 10, "warmup_type", "1-sqrt", "decay_type", "linear", "min_lr_ratio", 0.2));
        assertThat(schedule.factor(0)).isCloseTo(0.2, within(1e-12));
        assertThat(schedule.factor(4)).isCloseTo((1 - Math.sqrt(0.2)) * 0.8 + 0.2, within(1e-12));
        assertThat(schedule.factor(9)).isEqualTo(1);
        assertThat(schedule.factor(15)).isCloseTo(0.6, within(1e-12));
        assertThat(schedule.factor(20)).isEqualTo(0.2);
    }

    @Test
    void refusesWhatItWouldHaveToIgnore() {
        assertThatThrownBy(() -> ScheduleFactory.create("cosin", SPAN, Map.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cosin does not exist")
                .hasMessageContaining("cosine_with_restarts");
        assertThatThrownBy(() -> ScheduleFactory.create("linear", SPAN, Map.of("num_cycles", 2)))
                .hasMessage("lr_scheduler linear has no option num_cycles; it has none");
        assertThatThrownBy(() -> ScheduleFactory.create("polynomial", SPAN, Map.of("powr", 2)))
                .hasMessageContaining("no option powr; it has [lr_end, power]");
        assertThatThrownBy(() -> ScheduleFactory.create("constant", SPAN, Map.of()))
                .hasMessageContaining("constant_with_warmup");
        assertThatThrownBy(() -> ScheduleFactory.create("polynomial", SPAN, Map.of("lr_end", 0.1)))
                .hasMessageContaining("must be below learning_rate 0.001");
        assertThatThrownBy(() -> ScheduleFactory.create("cosine_with_min_lr", SPAN, Map.of()))
                .hasMessageContaining("one of the options min_lr and min_lr_rate");
        assertThatThrownBy(() -> ScheduleFactory.create("warmup_stable_decay", SPAN, Map.of("num_decay_steps", 16)))
                .hasMessageContaining("do not fit into 20");
        assertThatThrownBy(() -> ScheduleFactory.create("cosine", SPAN, Map.of("num_cycles", "many")))
                .hasMessageContaining("num_cycles is many, expected a number");
        assertThatThrownBy(() -> new Timeline(0, 10, Double.NaN)).hasMessageContaining("learning_rate is NaN");
    }

    @Test
    void warmupRatioRoundsUp() {
        assertThat(Schedule.warmupSteps(0.03, 100)).isEqualTo(3);
        assertThat(Schedule.warmupSteps(0.031, 100)).isEqualTo(4);
        assertThatThrownBy(() -> Schedule.warmupSteps(1.5, 100)).hasMessageContaining("warmup_ratio is 1.5");
    }

    @Property(tries = 200)
    void factorsStayBetweenZeroAndOne(
            @ForAll @IntRange(max = 30) int warmup, @ForAll @IntRange(min = 1, max = 60) int total) {
        Timeline timeline = new Timeline(warmup, total, 1e-3);
        for (String name : new String[] {"linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt"}) {
            Schedule schedule = ScheduleFactory.create(name, timeline, Map.of());
            for (int step = 0; step < 80; step++) {
                assertThat(schedule.factor(step)).as("%s step %d", name, step).isBetween(0.0, 1.0);
            }
        }
    }
}
