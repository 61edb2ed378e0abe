package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.tensor.Numerics;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Limits;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.checkpoints.Checkpoint;
import dev.graft.train.checkpoints.Checkpoints;
import dev.graft.train.data.Examples;
import dev.graft.train.optim.Adafactor;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.AdamW8bit;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Lion;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.RiemannianAdamW;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/** What a run leaves in its folder, and how it goes on from there. */
class ResumedRunTest extends RecordedRuns {
    @Test
    void aResumedRunEndsWithTheSameBits() {
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(9, 4), 4);
        TrainSettings settings = SETTINGS.withEvaluating(SETTINGS.evaluating().withEvery(Every.steps(3)))
                .withSaving(new Saving(Every.steps(5), 2));
        Adapter whole = Tiny.lora(LLAMA, 0.3, 7);
        TrainResult expected = trainer(settings, whole, Evaluation.loss(predictor), folder.resolve("whole"))
                .run();
        List<Double> losses = List.copyOf(recorder.losses());
        recorder.steps.clear();

        Path run = folder.resolve("parts");
        TrainResult result = null;
        Adapter end = whole;
        for (int part = 0; result == null || result.reason() == EndReason.INTERRUPTED; part++) {
            Adapter adapter = Tiny.lora(LLAMA, 0.3, part == 0 ? 7 : 1000 + part);
            result = trainer(settings, adapter, Evaluation.loss(predictor), run).run(Resume.AUTO, afterSteps(5));
            assertThat(part).isLessThan(10);
            if (result.reason() == EndReason.FINISHED) {
                end = adapter;
            }
        }
        assertThat(recorder.losses()).isEqualTo(losses);
        assertThat(Tiny.hashes(end)).isEqualTo(Tiny.hashes(whole));
        assertThat(result.best()).isEqualTo(expected.best());
        assertThat(result.loss()).isEqualTo(expected.loss());
        assertThat(run.resolve("adapter/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/adapter/adapter_model.safetensors"));
    }

    /** Wherever a run asks whether it is interrupted: a step drops what it has added up, an evaluation what it has counted. */
    @Test
    void aRunThatIsCutWithinStepsAndEvaluationsEndsWithTheSameBits() {
        TrainSettings settings = SETTINGS.withEvaluating(SETTINGS.evaluating().withEvery(Every.steps(2)))
                .withSaving(new Saving(Every.steps(5), 0));
        Adapter whole = Tiny.lora(LLAMA, 0.3, 7);
        TrainResult expected = trainer(
                        settings,
                        whole,
                        Evaluation.loss(new Predictor(LLAMA, Tiny.counting(9, 4), 4)),
                        folder.resolve("whole"))
                .run();
        List<Double> losses = List.copyOf(recorder.losses());
        List<Map<String, Double>> evaluations =
                recorder.evaluations.stream().map(Evaluated::metrics).toList();
        recorder.steps.clear();
        recorder.evaluations.clear();

        Path run = folder.resolve("parts");
        Adapter end = whole;
        TrainResult result = null;
        boolean owed = false;
        boolean within = false;
        for (int part = 0; result == null || result.reason() == EndReason.INTERRUPTED; part++) {
            Adapter adapter = Tiny.lora(LLAMA, 0.3, 7);
            BooleanSupplier interrupted = afterQuestions(3 + 2 * part);
            Evaluation evaluation = Evaluation.loss(new Predictor(LLAMA, Tiny.counting(9, 4), 4, interrupted));
            long before = recorder.steps.size();
            result = trainer(settings, adapter, evaluation, run).run(Resume.AUTO, interrupted);
            Checkpoint last = new Checkpoints(run, 0).last();
            if (result.reason() == EndReason.INTERRUPTED && last != null) {
                assertThat(last.state().step()).isEqualTo(result.steps());
                owed |= last.state().evaluationDue();
                within |= !last.state().evaluationDue() && before < recorder.steps.size();
            }
            assertThat(part).isLessThan(40);
            end = adapter;
        }
        assertThat(owed).isTrue();
        assertThat(within).isTrue();
        assertThat(recorder.losses()).isEqualTo(losses);
        assertThat(recorder.evaluations).extracting(Evaluated::metrics).isEqualTo(evaluations);
        assertThat(Tiny.hashes(end)).isEqualTo(Tiny.hashes(whole));
        assertThat(result.best()).isEqualTo(expected.best());
        assertThat(run.resolve("adapter/adapter_model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("whole/adapter/adapter_model.safetensors"));
    }

    @Test
    void aStepThatIsCutLeavesTheCheckpointOfTheOneBefore() {
        TrainSettings settings = SETTINGS.withSaving(new Saving(Every.steps(100), 0));
        AtomicBoolean cut = new AtomicBoolean();
        BooleanSupplier interrupted =
                () -> cut.get() && Thread.currentThread().getName().startsWith("graft-train-");
        TrainingListener second = new TrainingListener() {
            @Override
            public void onStep(Stepped stepped) {
                cut.set(stepped.step() == 2);
            }
        };
        TrainResult result = new Trainer(
                        settings, Tiny.lora(LLAMA, 0, 7), COUNTING, null, folder, List.of(recorder, second))
                .run(Resume.AUTO, interrupted);
        assertThat(result.reason()).isEqualTo(EndReason.INTERRUPTED);
        assertThat(recorder.steps).hasSize(2);
        assertThat(new Checkpoints(folder, 0).last().state().step()).isEqualTo(2);
    }

    @Test
    void aRunThatIsCutInItsFirstStepLeavesNothingToGoOnFrom() {
        BooleanSupplier interrupted = () -> Thread.currentThread().getName().startsWith("graft-train-");
        TrainResult result =
                trainer(SETTINGS, Tiny.lora(LLAMA, 0, 7), null, folder).run(Resume.AUTO, interrupted);
        assertThat(result.reason()).isEqualTo(EndReason.INTERRUPTED);
        assertThat(result.steps()).isZero();
        assertThat(new Checkpoints(folder, 0).folders()).isEmpty();
    }

    private static BooleanSupplier afterQuestions(int questions) {
        AtomicInteger asked = new AtomicInteger();
        return () -> asked.incrementAndGet() > questions;
    }

    /** The first step of a process looks for parameters that no gradient reaches; its gradients are no coarser than later ones. */
    @Test
    void aResumedRunInBf16EndsWithTheSameBits() {
        Base llama = Base.load(
                Tiny.BASES.resolve("llama-gqa"), Base.Options.of(Task.CAUSAL_LM).withNumerics(Numerics.BF16));
        TrainSettings settings = SETTINGS.withSaving(new Saving(Every.steps(5), 2));
        Adapter whole = Tiny.lora(llama, 0, 7);
        trainer(settings, whole, null, folder.resolve("whole")).run();

        Path run = folder.resolve("parts");
        trainer(settings, Tiny.lora(llama, 0, 7), null, run).run(Resume.AUTO, afterSteps(4));
        Adapter end = Tiny.lora(llama, 0, 8);
        trainer(settings, end, null, run).run();

        assertThat(Tiny.hashes(end)).isEqualTo(Tiny.hashes(whole));
    }

    @Test
    void timeThatRunsOutEndsTheRunAfterAStepWithACheckpoint() {
        TrainSettings settings = SETTINGS.withLimits(new Limits(2, 0, Duration.ofNanos(1)));
        TrainResult result =
                trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run();
        assertThat(result.reason()).isEqualTo(EndReason.OUT_OF_TIME);
        assertThat(result.steps()).isEqualTo(1);
        assertThat(new Checkpoints(folder, 0).last().state().step()).isEqualTo(1);
        assertThat(folder.resolve("adapter/adapter_config.json")).exists();
        assertThat(folder.resolve("checkpoint-1/adapter/adapter_config.json")).exists();
    }

    @Test
    void checkpointsAppearInRhythmAndOnlyTheNewestStay() {
        trainer(SETTINGS.withSaving(new Saving(Every.steps(3), 2)), Tiny.lora(LLAMA, 0, 7), null, folder)
                .run();
        assertThat(recorder.saved).extracting(Saved::step).containsExactly(3L, 6L, 9L, 12L);
        assertThat(new Checkpoints(folder, 0).folders().keySet()).containsExactly(9L, 12L);
    }

    @Test
    void aRunResumesOnlyWithTheSettingsAndRowsItBeganWith() {
        TrainSettings settings = SETTINGS.withSaving(new Saving(Every.steps(3), 2));
        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run(Resume.NEVER, afterSteps(4));
        assertThatThrownBy(() -> trainer(settings.withLearningRate(2e-2), Tiny.lora(LLAMA, 0, 7), null, folder)
                        .run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("learning_rate was 0.01 and is now 0.02");
        assertThatThrownBy(() -> trainer(settings, Tiny.lora(LLAMA, 0.1, 7), null, folder)
                        .run())
                .hasMessageContaining("adapter.method.lora_dropout was 0.0 and is now 0.1");
        assertThatThrownBy(() -> new Trainer(
                                settings, Tiny.lora(LLAMA, 0, 7), Tiny.counting(22, 1), null, folder, List.of())
                        .run())
                .hasMessageContaining("data.");
        assertThatThrownBy(() ->
                        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run(Resume.NEVER, () -> false))
                .hasMessageContaining("is a checkpoint of an earlier run");
        TrainResult result = trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder)
                .run(Resume.from(folder.resolve("checkpoint-3")), () -> false);
        assertThat(result.steps()).isEqualTo(12);
        assertThat(recorder.started.get(recorder.started.size() - 1).resumed()).hasFileName("checkpoint-3");
    }

    @Test
    void otherRowsLabelsOrValidationRowsOfTheSameLengthsAreRefused() throws IOException {
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(9, 4), 4);
        TrainSettings settings = SETTINGS.withEvaluating(SETTINGS.evaluating().withEvery(Every.steps(6)))
                .withSaving(new Saving(Every.steps(3), 2));
        Trainer begun = trainer(settings, Tiny.lora(LLAMA, 0, 7), Evaluation.loss(predictor), folder);
        begun.run(Resume.NEVER, afterSteps(4));
        Examples other = Tiny.counting(23, 1, 1);
        assertThat(other.lengths()).isEqualTo(COUNTING.lengths());
        assertThatThrownBy(() -> new Trainer(
                                settings, Tiny.lora(LLAMA, 0, 7), other, Evaluation.loss(predictor), folder, List.of())
                        .run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("checkpoint-4 cannot be resumed: the training data are others"
                        + " (their rows, labels or order). Resume with the same settings and data");
        Evaluation others = Evaluation.loss(new Predictor(LLAMA, Tiny.counting(9, 4, 1), 4));
        assertThatThrownBy(() -> trainer(settings, Tiny.lora(LLAMA, 0, 7), others, folder)
                        .run())
                .hasMessageContaining("cannot be resumed: the validation data are others");
        Evaluation unknown = hooks -> Map.of("loss", 1.0);
        assertThat(trainer(settings, Tiny.lora(LLAMA, 0, 7), unknown, folder)
                        .run()
                        .reason())
                .isEqualTo(EndReason.FINISHED);
    }

    @Test
    void aDamagedCheckpointIsPassedOverAndNamed() throws IOException {
        TrainSettings settings = SETTINGS.withSaving(new Saving(Every.steps(3), 0));
        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run(Resume.NEVER, afterSteps(6));
        Files.write(folder.resolve("checkpoint-6/optimizer.safetensors"), new byte[] {1, 2, 3});
        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run();
        Started started = recorder.started.get(1);
        assertThat(started.step()).isEqualTo(3);
        assertThat(started.rejected()).singleElement().asString().contains("optimizer.safetensors");
    }

    @Test
    void aSecondRunInTheFolderIsRefused() {
        Evaluation second = hooks -> {
            assertThatThrownBy(() -> trainer(SETTINGS, Tiny.lora(LLAMA, 0, 7), null, folder)
                            .run())
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("is in use by another run");
            return Map.of("loss", 1.0);
        };
        TrainResult result = trainer(SETTINGS.withMaxSteps(1), Tiny.lora(LLAMA, 0, 7), second, folder)
                .run();
        assertThat(result.reason()).isEqualTo(EndReason.FINISHED);
        assertThat(recorder.evaluations).hasSize(1);
    }

    @Test
    void aResumedRunEqualsAnUninterruptedOneWithEveryOptimiserGroupsAndAnAverage() throws IOException {
        List<Optimizer.Settings> optimizers = List.of(
                new AdamW8bit.Settings(AdamW.Settings.DEFAULT, 64),
                Adafactor.Settings.DEFAULT,
                Lion.Settings.DEFAULT,
                new RiemannianAdamW.Settings(AdamW.Settings.DEFAULT, 1e-2),
                new Lbfgs.Settings(2, 4, 1e-7, 1e-9, 3, true));
        for (Optimizer.Settings optimizer : optimizers) {
            boolean plain = optimizer instanceof Lbfgs.Settings;
            TrainSettings.Optimization all = SETTINGS.optimization().withAveraging(0.9);
            TrainSettings settings = SETTINGS.withOptimization(
                    plain
                            ? new TrainSettings.Optimization(
                                    optimizer, 0.1, null, all.schedule(), 0, 0, List.of(), 0.9, 10)
                            : all.withOptimizer(optimizer)
                                    .withGroups(List.of(new ParameterGroup("lora_B", 5e-3, 0.1))));
            settings = settings.withMaxSteps(8).withSaving(new Saving(Every.steps(100), 2));
            Path whole = folder.resolve(
                    "whole-" + optimizer.getClass().getDeclaringClass().getSimpleName());
            Path cut = folder.resolve(
                    "cut-" + optimizer.getClass().getDeclaringClass().getSimpleName());
            TrainResult expected =
                    trainer(settings, Tiny.lora(LLAMA, 0.1, 7), null, whole).run();
            trainer(settings, Tiny.lora(LLAMA, 0.1, 7), null, cut).run(Resume.AUTO, afterSteps(5));
            TrainResult result =
                    trainer(settings, Tiny.lora(LLAMA, 0.1, 9), null, cut).run();
            assertThat(result.loss())
                    .as("%s", optimizer)
                    .isEqualTo(expected.loss())
                    .isNotNaN();
            for (String file : List.of(
                    "checkpoint-8/parameters.safetensors",
                    "checkpoint-8/run.safetensors",
                    "checkpoint-8/optimizer.safetensors",
                    "adapter/adapter_model.safetensors")) {
                assertThat(cut.resolve(file)).hasSameBinaryContentAs(whole.resolve(file));
            }
            assertThat(Tiny.hashes(Adapter.load(LLAMA, whole.resolve("adapter"))))
                    .isEqualTo(Tiny.hashes(Adapter.load(LLAMA, whole.resolve("checkpoint-8/adapter"))));
        }
    }
}
