package dev.graft.train.schedules;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

class PlateauTrackerTest {
    private static final Schedule.Timeline SPAN = new Schedule.Timeline(0, 100, 1e-3);

    private static PlateauTracker plateau(Map<String, ?> options) {
        return new PlateauTracker(
                (Schedule.ReduceOnPlateau) ScheduleFactory.create("reduce_lr_on_plateau", SPAN, options), false);
    }

    static Stream<JsonNode> cases() {
        return Json.read(Path.of("../parity/fixtures/optimizers/plateau.json"))
                .get("cases")
                .valueStream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void ratesAreThoseOfPyTorch(JsonNode stored) {
        Map<String, Object> options = new LinkedHashMap<>();
        stored.get("options").properties().forEach(option -> {
            JsonNode value = option.getValue();
            options.put(option.getKey(), value.isString() ? value.stringValue() : value.numberValue());
        });
        PlateauTracker plateau = plateau(options);
        for (int i = 0; i < stored.get("scores").size(); i++) {
            plateau.observe(stored.get("scores").get(i).doubleValue());
            double rate = stored.get("rates").get(i).doubleValue();
            assertThat(1e-3 * plateau.factor()).as("score %d", i).isCloseTo(rate, within(1e-12 + 1e-9 * rate));
        }
    }

    @Test
    void aCopyOfItsStateGoesOnAsItWould() {
        PlateauTracker first = plateau(Map.of("patience", 1, "cooldown", 1));
        first.observe(1);
        first.observe(2);
        PlateauTracker second = plateau(Map.of("patience", 1, "cooldown", 1));
        second.state().copy_(first.state());
        for (double score : new double[] {2, 2, 0.5, 3, 3, 3, 3}) {
            first.observe(score);
            second.observe(score);
            assertThat(second.factor()).isEqualTo(first.factor());
        }
        assertThat(first.factor()).isLessThan(1);
    }

    @Test
    void aScoreThatIsNoNumberIsNoProgress() {
        PlateauTracker plateau = plateau(Map.of("patience", 0));
        plateau.observe(1);
        plateau.observe(Double.NaN);
        assertThat(plateau.factor()).isCloseTo(0.1, within(1e-12));
    }

    @ParameterizedTest
    @CsvSource({
        "factor, 1, expected less than 1",
        "patience, 1.5, expected a whole number",
        "mode, up, expected min or max",
        "threshold_mode, both, expected rel or abs",
        "verbose, true, has no option verbose"
    })
    void optionsThatItDoesNotHaveAreRefused(String option, String value, String problem) {
        Object given = value.matches("[0-9.]+") ? Double.valueOf(value) : value;
        assertThatThrownBy(() -> plateau(Map.of(option, given)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void itHasNoWarmUp() {
        assertThatThrownBy(() ->
                        ScheduleFactory.create("reduce_lr_on_plateau", new Schedule.Timeline(5, 100, 1e-3), Map.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("no warm-up");
    }
}
