package dev.graft.run.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeWriterTest {
    @TempDir
    Path folder;

    private RunConfig readBack(RunConfig config) throws IOException {
        Path file = folder.resolve("config.yaml");
        Files.writeString(file, RecipeWriter.write(config, "graft train x.yaml"));
        List<String> notices = new ArrayList<>();
        RunConfig read = ConfigReader.read(file, List.of(), Map.of(), notices::add);
        assertThat(notices).hasSize(0);
        return read;
    }

    @Test
    void theResolvedConfigGivesTheSameRun() throws IOException {
        List<String> everything =
                new ArrayList<>(List.of("optimizer=adamw", "lora.rank_pattern={a.b: 4}", "lora.use_rslora=true"));
        ConfigKeys.RUN.values().stream()
                .filter(key -> !List.of("optimizer", "momentum", "warmup_steps", "method", "cache_frozen_layers")
                        .contains(key.name()))
                .forEach(key ->
                        everything.add(key.name() + "=" + key.declaration().example()));
        RunConfig config = ConfigReader.read(null, everything, Map.of(), notice -> {});

        assertThat(readBack(config)).isEqualTo(config);
        assertThat(config.methodOptions())
                .containsEntry("rank_pattern", Map.of("a.b", 4L))
                .containsEntry("use_rslora", true);
    }

    @Test
    void theDefaultsGiveTheSameRun() throws IOException {
        RunConfig config = ConfigReader.read(null, List.of("model=m", "data.train=d: #x"), Map.of(), notice -> {});

        assertThat(readBack(config)).isEqualTo(config);
    }

    @Test
    void eachOptionHasItsCommentAndTheCommandStandsAbove() {
        RunConfig config = ConfigReader.read(null, List.of("model=m", "data.train=d.jsonl"), Map.of(), notice -> {});

        assertThat(RecipeWriter.write(config, "graft train model=m\ndata.train=d.jsonl"))
                .startsWith("# The resolved config of a Graft run. Started with:\n"
                        + "#   graft train model=m data.train=d.jsonl\n")
                .contains("\nseed: 42  # Seed of everything random\n")
                .contains("\ndata:\n  train: d.jsonl  # Training rows")
                .contains("\nmax_steps:  # Optimiser steps after which training stops; unset: no limit\n")
                .contains("\nlora:\n  alpha: 32.0  # Scale: the update counts alpha / r times\n");
    }
}
