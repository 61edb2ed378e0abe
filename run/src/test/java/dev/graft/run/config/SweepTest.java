package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepTest {
    @TempDir
    private Path folder;

    private Sweep read(String yaml) throws IOException {
        return Sweep.read(Files.writeString(folder.resolve("sweep.yaml"), yaml));
    }

    @Test
    void aGridHasEveryCombinationInTheOrderOfTheFile() throws IOException {
        Sweep sweep =
                read("parallel: 2\nsettings:\n  learning_rate: [1e-4, 1e-3]\n  lora: {r: [8], alpha: [16, 32]}\n");
        assertThat(sweep.parallel()).isEqualTo(2);
        assertThat(sweep.settings())
                .containsExactly(
                        Map.of("learning_rate", "1e-4", "lora.r", "8", "lora.alpha", "16"),
                        Map.of("learning_rate", "1e-4", "lora.r", "8", "lora.alpha", "32"),
                        Map.of("learning_rate", "1e-3", "lora.r", "8", "lora.alpha", "16"),
                        Map.of("learning_rate", "1e-3", "lora.r", "8", "lora.alpha", "32"));
        assertThat(read("settings: {lora.target_modules: [all-linear, [q_proj, v_proj]]}")
                        .settings())
                .extracting(run -> run.get("lora.target_modules"))
                .containsExactly("all-linear", "[q_proj, v_proj]");
    }

    @Test
    void aRandomSearchDrawsTheSameRunsEachTimeWithinItsRanges() throws IOException {
        String yaml =
                "search: random\nruns: 40\nseed: 3\nsettings:\n  learning_rate: {min: 1e-5, max: 1e-2, scale: log}\n"
                        + "  lora.r: {min: 4, max: 32}\n  optimizer: [adamw, lion]\n";
        List<Map<String, String>> runs = read(yaml).settings();
        assertThat(runs)
                .hasSize(40)
                .isEqualTo(read(yaml).settings())
                .isNotEqualTo(read(yaml.replace("3", "4")).settings());
        assertThat(runs).allSatisfy(run -> {
            assertThat(Double.parseDouble(run.get("learning_rate"))).isBetween(1e-5, 1e-2);
            assertThat(Integer.parseInt(run.get("lora.r"))).isBetween(4, 32);
        });
        assertThat(runs.stream()
                        .filter(run -> Double.parseDouble(run.get("learning_rate")) < 3e-4)
                        .count())
                .as("half of the draws are in the lower half of the powers of ten")
                .isBetween(12L, 28L);
        assertThat(runs).extracting(run -> run.get("optimizer")).contains("adamw", "lion");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "learning_rate: [1] | learning_rate is no key of a sweep",
                "search: grid | settings is missing",
                "{search: bayes, settings: {r: [1]}} | search is neither grid nor random",
                "{runs: 3, settings: {r: [1]}} | runs belongs to a random search",
                "settings: {r: {min: 1, max: 2}} | r is a range, which only a random search can draw from",
                "settings: {r: 1} | r is 1, expected a list of values",
                "{search: random, settings: {r: {min: 2, max: 1}}} | r is no range",
                "{search: random, settings: {r: {min: 0, max: 1, scale: log}}} | r is no range",
                "{parallel: 0, settings: {r: [1]}} | parallel is 0, expected a whole number of 1 to 64",
                "[1] | holds no mapping"
            })
    void whatCannotBeMeantIsRefused(String yaml, String message) {
        assertThatThrownBy(() -> read(yaml)).isInstanceOf(InputException.class).hasMessageContaining(message);
    }
}
