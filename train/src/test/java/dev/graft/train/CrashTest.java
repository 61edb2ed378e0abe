package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.internal.FileStepCounter;
import dev.graft.formats.internal.FileStepCounter.Dead;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import dev.graft.train.data.Examples;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever happens to a run between two operations on files, its last checkpoint is whole and it goes on to the same result. */
class CrashTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Examples ROWS = Tiny.counting(9, 1);
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT
            .withLearningRate(1e-2)
            .withBatchSize(3)
            .withEvaluating(TrainSettings.DEFAULT.evaluating().withEvery(Every.steps(1)))
            .withSaving(new Saving(Every.steps(1), 1))
            .withMaxSteps(3);

    @TempDir
    Path folder;

    @AfterEach
    void watchNoLonger() {
        FileStepCounter.stop();
    }

    private static TrainResult train(Path run) {
        Evaluation evaluation = Evaluation.loss(new Predictor(LLAMA, Tiny.counting(4, 4), 4));
        return new Trainer(SETTINGS, Tiny.lora(LLAMA, 0.2, 7), ROWS, evaluation, run, List.of()).run();
    }

    private static int steps(Path run) {
        try {
            var counted = FileStepCounter.deadFrom(Integer.MAX_VALUE);
            train(run);
            return counted.get();
        } finally {
            FileStepCounter.stop();
        }
    }

    private static Path file(Path run) {
        return run.resolve("adapter/adapter_model.safetensors");
    }

    /** Every point: hundreds of them, each followed by a new start that must end as the run that nothing happened to. */
    @Test
    @Tag("slow")
    void aRunThatDiesAtAnyOperationGoesOnToTheSameAdapter() throws IOException {
        Path whole = folder.resolve("whole");
        int all = steps(whole);
        assertThat(all).isGreaterThan(200);
        for (int k = 1; k <= all; k++) {
            dieAndGoOn(whole, k);
        }
    }

    @Test
    void aRunThatDiesAtSomeOperationGoesOnToTheSameAdapter() throws IOException {
        Path whole = folder.resolve("whole");
        int all = steps(whole);
        for (int k = 5; k <= all; k += all / 7) {
            dieAndGoOn(whole, k);
        }
    }

    private void dieAndGoOn(Path whole, int k) throws IOException {
        Path run = folder.resolve("run-" + k);
        FileStepCounter.deadFrom(k);
        assertThatThrownBy(() -> train(run)).as("step %d", k).isInstanceOf(Dead.class);
        FileStepCounter.stop();
        Checkpoints checkpoints = new Checkpoints(run, 0);
        Checkpoint last = checkpoints.last();
        assertThat(checkpoints.rejected()).as("step %d", k).isEmpty();
        if (last != null) {
            Adapter adapter = Adapter.load(LLAMA, last.folder().resolve("adapter"));
            assertThat(adapter.trainable()).isNotEmpty();
        }
        TrainResult result = train(run);
        assertThat(result.steps()).isEqualTo(3);
        assertThat(file(run)).as("step %d", k).hasSameBinaryContentAs(file(whole));
        try (Stream<Path> files = Files.list(run)) {
            // What a process that lives may still be writing stays: here it is this very one.
            String writing = ".tmp-" + ProcessHandle.current().pid();
            assertThat(files.map(path -> path.getFileName().toString()).filter(name -> !name.contains(writing)))
                    .as("step %d leaves nothing behind", k)
                    .containsExactlyInAnyOrder(".graft.lock", "adapter", "checkpoint-3");
        }
    }

    @Test
    void aDiskThatIsFullOrReadOnlyEndsTheRunWithTheLastCheckpointWhole() throws IOException {
        Path whole = folder.resolve("whole");
        int all = steps(whole);
        for (int k = all / 2; k < all - 8; k += all / 9) {
            for (boolean full : new boolean[] {true, false}) {
                Path run = folder.resolve((full ? "full-" : "read-only-") + k);
                if (full) {
                    FileStepCounter.fullFrom(k);
                } else {
                    FileStepCounter.readOnlyFrom(k);
                }
                assertThatThrownBy(() -> train(run))
                        .isInstanceOf(UncheckedIOException.class)
                        .hasMessageContaining(full ? "No space left on device" : "permission denied");
                FileStepCounter.stop();
                assertThat(new Checkpoints(run, 0).last()).isNotNull();
                train(run);
                assertThat(file(run)).hasSameBinaryContentAs(file(whole));
            }
        }
    }

    @Test
    void filesBesideTheAdapterAppearWithIt() {
        Trainer trainer =
                new Trainer(SETTINGS.withMaxSteps(1), Tiny.lora(LLAMA, 0, 7), ROWS, null, folder, List.of(), path -> {
                    try {
                        Files.writeString(path.resolve("labels.txt"), "a b");
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                });
        trainer.run();
        assertThat(folder.resolve("adapter/labels.txt")).hasContent("a b");
        assertThat(folder.resolve("checkpoint-1/adapter/labels.txt")).hasContent("a b");
    }
}
