package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Stepped;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is killed loses at most the steps since its last checkpoint, and nothing of the result. */
@Tag("slow")
class KilledRunTest {
    private static final int STEPS = 60;

    @TempDir
    Path folder;

    private static TrainResult train(Path run, @Nullable Adapter given, TrainingListener listener) {
        Base base = Tiny.llama();
        Adapter adapter = given == null ? Tiny.lora(base, 0.2, 7) : given;
        TrainSettings settings = TrainSettings.DEFAULT
                .withLearningRate(1e-2)
                .withBatching(TrainSettings.DEFAULT.batching().withSize(2).withAccumulation(2))
                .withEvaluating(TrainSettings.DEFAULT.evaluating().withEvery(Every.steps(4)))
                .withSaving(new Saving(Every.steps(1), 2))
                .withMaxSteps(STEPS);
        Evaluation evaluation = Evaluation.loss(new Predictor(base, Tiny.counting(9, 4), 4));
        return new Trainer(settings, adapter, Tiny.counting(23, 1), evaluation, run, List.of(listener)).run();
    }

    /** The process that is killed: says each step. */
    public static final class Child {
        public static void main(String[] arguments) {
            train(Path.of(arguments[0]), null, new TrainingListener() {
                @Override
                public void onStep(Stepped stepped) {
                    System.out.println("step " + stepped.step());
                }
            });
        }
    }

    @Test
    void aRunKilledAgainAndAgainEndsWithTheBitsOfOneThatWasNot() throws Exception {
        train(folder.resolve("whole"), null, new TrainingListener() {});
        Path run = folder.resolve("killed");
        for (int steps : new int[] {1, 4, 7, 9, 2}) {
            killAfter(run, steps);
        }
        TrainResult result = train(run, null, new TrainingListener() {});
        assertThat(result.reason()).isEqualTo(EndReason.FINISHED);
        assertThat(result.steps()).isEqualTo(STEPS);
        for (String file :
                List.of("parameters.safetensors", "optimizer.safetensors", "best.safetensors", "state.json")) {
            assertThat(run.resolve("checkpoint-" + STEPS).resolve(file))
                    .hasSameBinaryContentAs(
                            folder.resolve("whole/checkpoint-" + STEPS).resolve(file));
        }
        assertThat(run.resolve("adapter/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/adapter/adapter_model.safetensors"));
    }

    private static void killAfter(Path run, int steps) throws IOException, InterruptedException {
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx400m",
                "-cp",
                classPath,
                Child.class.getName(),
                run.toString());
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        Process process = builder.start();
        try (BufferedReader lines = process.inputReader()) {
            for (int i = 0; i < steps; i++) {
                assertThat(lines.readLine()).startsWith("step ");
            }
            // Somewhere between a step, its checkpoint and the next step.
            TimeUnit.MILLISECONDS.sleep(3L * steps);
        } finally {
            process.destroyForcibly();
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
        }
        assertThat(process.exitValue()).as("killed, not ended").isEqualTo(137);
    }
}
