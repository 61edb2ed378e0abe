package dev.graft.train.checkpoints;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorData;
import dev.graft.formats.TensorSource;
import dev.graft.formats.internal.FileStepCounter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class CheckpointsTest {
    private static final JsonNode CONFIG =
            Json.parse("config", "{\"learning_rate\":0.001,\"lora\":{\"r\":8,\"alpha\":16}}");

    @TempDir
    Path run;

    @AfterEach
    void watchNoLonger() {
        FileStepCounter.stop();
    }

    static TrainingState state(long step, @Nullable BestScore best) {
        return new TrainingState(
                step,
                1,
                (int) step,
                best,
                step % 3 == 0 ? Double.NaN : 0.5 * step,
                11 * step,
                step % 20 == 10,
                Map.of("data", 7L, "dropout", -3L),
                CONFIG);
    }

    static void save(Checkpoints checkpoints, long step, @Nullable BestScore best) {
        checkpoints.save(state(step, best), folder -> {
            Safetensors.write(
                    folder.resolve("adapter_model.safetensors"),
                    List.of(TensorData.of("a", new float[] {step, 2 * step}, 2)),
                    Map.of("format", "pt"));
            Files.writeString(folder.resolve("adapter_config.json"), "{}");
        });
    }

    static float firstValue(Checkpoint checkpoint) {
        try (TensorSource file = Safetensors.open(checkpoint.folder().resolve("adapter_model.safetensors"))) {
            return file.tensor("a").floats()[0];
        }
    }

    private List<String> names() throws IOException {
        try (Stream<Path> paths = Files.list(run)) {
            return paths.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void whatWasSavedIsWhatIsOpened() {
        BestScore best = BestScore.of("accuracy", true).observe(10, 0.75);
        Checkpoints checkpoints = new Checkpoints(run, 0);
        save(checkpoints, 10, best);
        Checkpoint last = new Checkpoints(run, 0).last();
        assertThat(last).isNotNull();
        assertThat(last.state()).isEqualTo(state(10, best));
        assertThat(last.state().random()).containsEntry("dropout", -3L);
        assertThat(firstValue(last)).isEqualTo(10f);
        assertThat(last.folder().getFileName()).hasToString("checkpoint-10");
    }

    @Test
    void aNewRunHasNoCheckpoint() {
        assertThat(new Checkpoints(run.resolve("missing"), 2).last()).isNull();
    }

    @Test
    void theLimitKeepsTheNewestAndTheBest() throws IOException {
        Checkpoints checkpoints = new Checkpoints(run, 2);
        BestScore best = BestScore.of("loss", false).observe(10, 1.0);
        save(checkpoints, 10, best);
        best = best.observe(20, 0.5);
        save(checkpoints, 20, best);
        best = best.observe(30, 0.7);
        save(checkpoints, 30, best);
        assertThat(names()).containsExactly("checkpoint-20", "checkpoint-30");
        best = best.observe(40, 0.8);
        save(checkpoints, 40, best);
        assertThat(names()).containsExactly("checkpoint-20", "checkpoint-40");
        save(new Checkpoints(run, 1), 50, best);
        assertThat(names()).containsExactly("checkpoint-20", "checkpoint-50");
    }

    @Test
    void aDamagedCheckpointIsPassedOverAndNamed() throws IOException {
        Checkpoints checkpoints = new Checkpoints(run, 0);
        for (long step : new long[] {10, 20, 30, 40, 50}) {
            save(checkpoints, step, null);
        }
        Files.delete(run.resolve("checkpoint-50/adapter_config.json"));
        Path tensors = run.resolve("checkpoint-40/adapter_model.safetensors");
        byte[] bytes = Files.readAllBytes(tensors);
        bytes[bytes.length - 1] ^= 1;
        Files.write(tensors, bytes);
        Files.delete(run.resolve("checkpoint-30/manifest.json"));
        Files.writeString(run.resolve("checkpoint-20/state.json"), "{");
        assertThat(checkpoints.last().folder().getFileName()).hasToString("checkpoint-10");
        assertThat(checkpoints.rejected()).hasSize(4);
        assertThat(checkpoints.rejected().get(0)).contains("checkpoint-50").endsWith("adapter_config.json: is missing");
        assertThat(checkpoints.rejected().get(1)).contains("checkpoint-40").contains("SHA-256 differs");
        assertThat(checkpoints.rejected().get(2)).contains("checkpoint-30").contains("manifest.json");
        assertThat(checkpoints.rejected().get(3)).contains("checkpoint-20").contains("has 1 bytes, expected");
        assertThatThrownBy(() -> Checkpoints.open(run.resolve("checkpoint-50"))).isInstanceOf(InputException.class);
    }

    @Test
    void aManifestCannotPointOutsideItsFolder() throws IOException {
        save(new Checkpoints(run, 0), 10, null);
        Path manifest = run.resolve("checkpoint-10/manifest.json");
        Files.writeString(manifest, Files.readString(manifest).replace("adapter_config.json", "../secret"));
        assertThatThrownBy(() -> Checkpoints.open(run.resolve("checkpoint-10")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("../secret, which is outside the folder");
    }

    @Test
    void settingsAreNamedFirstAndParametersAreCounted() {
        String config = "{\"adapter\":{\"method\":{\"r\":%1$d},\"parameters\":{\"a\":\"[%1$d, 4]\",\"b\":\"[4,"
                + " %1$d]\"}},\"batch_size\":%1$d}";
        TrainingState saved =
                new TrainingState(1, 0, 1, null, 2.5, 7, false, Map.of(), Json.parse("c", config.formatted(8)));
        assertThatThrownBy(() -> saved.requireConfig(Json.parse("c", config.formatted(4)), run))
                .hasMessage(
                        run + " cannot be resumed: adapter.method.r was 8 and is now 4; batch_size was 8 and is now 4;"
                                + " 2 parameters differ, the first: a was \"[8, 4]\" and is now \"[4, 4]\"."
                                + " Resume with the same settings and data, or start anew in another folder.");
    }

    @Test
    void aCheckpointWithoutDigestsOfRowsSaysNothingOfThem() {
        JsonNode rows = Json.parse("c", "{\"data\":{\"rows\":3}}");
        JsonNode digested =
                Json.parse("c", "{\"data\":{\"rows\":3,\"training_sha256\":\"ab\",\"validation_sha256\":\"cd\"}}");
        new TrainingState(1, 0, 1, null, 2.5, 7, false, Map.of(), rows).requireConfig(digested, run);
    }

    @Test
    void anotherConfigIsRefusedWithTheFirstDifference() {
        TrainingState saved = state(10, null);
        saved.requireConfig(Json.parse("c", "{\"lora\":{\"alpha\":16,\"r\":8},\"learning_rate\":1e-3}"), run);
        assertThatThrownBy(() -> saved.requireConfig(
                        Json.parse("c", "{\"learning_rate\":0.001,\"lora\":{\"r\":16,\"alpha\":32}}"), run))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("lora.alpha was 16 and is now 32");
        assertThatThrownBy(() -> saved.requireConfig(Json.parse("c", "{\"lora\":{\"r\":8,\"alpha\":16}}"), run))
                .hasMessageContaining("learning_rate was 0.001 and is now absent");
    }

    @Test
    void aFullDiskLeavesTheLastCheckpointAndNoRemains() throws IOException {
        Checkpoints checkpoints = new Checkpoints(run, 1);
        save(checkpoints, 10, null);
        int failures = 0;
        for (int k = 1; ; k++) {
            FileStepCounter.fullFrom(k);
            try {
                save(checkpoints, 20, null);
                break;
            } catch (UncheckedIOException e) {
                assertThat(e).hasMessageContaining("checkpoint-20").hasMessageContaining("No space left on device");
                failures++;
            } finally {
                FileStepCounter.stop();
            }
            Checkpoint last = checkpoints.last();
            if (last.state().step() == 10) {
                assertThat(firstValue(last)).isEqualTo(10f);
                assertThat(names()).containsExactly("checkpoint-10");
            } else {
                assertThat(firstValue(last)).isEqualTo(20f);
            }
        }
        assertThat(failures).isGreaterThan(10);
    }

    /** The files of a run's checkpoint. */
    private static void saveAll(Checkpoints checkpoints, long step) {
        checkpoints.save(state(step, null), folder -> {
            for (String name : List.of("parameters", "optimizer", "method", "run", "best", "adapter_model")) {
                Safetensors.write(
                        folder.resolve(name + ".safetensors"),
                        List.of(TensorData.of("a", new float[] {step, 2 * step}, 2)),
                        Map.of());
            }
            AtomicWrite.folder(folder.resolve("adapter"), adapter -> {
                AtomicWrite.text(adapter.resolve("adapter_config.json"), "{}");
                AtomicWrite.text(adapter.resolve("graft.json"), "{}");
                Safetensors.write(
                        adapter.resolve("adapter_model.safetensors"),
                        List.of(TensorData.of("a", new float[] {step}, 1)),
                        Map.of());
            });
        });
    }

    /** Saves checkpoints 1 and 2 with a limit of one, prints each that is done, and is killed at the k-th file step. */
    static final class Child {
        public static void main(String[] arguments) {
            FileStepCounter.haltAt(Integer.parseInt(arguments[1]));
            Checkpoints checkpoints = new Checkpoints(Path.of(arguments[0]), 1);
            for (long step = 1; step <= 2; step++) {
                saveAll(checkpoints, step);
                System.out.println("saved " + step);
                System.out.flush();
            }
        }
    }

    @Test
    @Tag("slow")
    void aProcessKilledAtAnyFileStepLeavesTheLastCheckpointLoadable() throws Exception {
        int killed = 0;
        for (int k = 1; ; k++) {
            Path folder = run.resolve("run-" + k);
            Process child = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xshare:auto",
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            Child.class.getName(),
                            folder.toString(),
                            Integer.toString(k))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int status = child.waitFor();
            long done = output.lines().count();
            Checkpoint last = new Checkpoints(folder, 1).last();
            if (done > 0) {
                assertThat(last)
                        .as("killed at step %d after saving %d", k, done)
                        .isNotNull();
                assertThat(last.state().step()).isBetween(done, done + 1);
            }
            if (last != null) {
                assertThat(firstValue(last)).isEqualTo(last.state().step());
            }
            if (status == 0) {
                break;
            }
            assertThat(status).isEqualTo(99);
            killed++;
        }
        assertThat(killed).isGreaterThan(100);
    }
}
