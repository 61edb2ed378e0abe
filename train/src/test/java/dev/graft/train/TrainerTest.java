package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Reason;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Order;
import dev.graft.train.loss.Prediction;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainerTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Examples COUNTING = Tiny.counting(23, 1);
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT
            .withLearningRate(1e-2)
            .with(new Batching(2, 2, Order.LENGTH_GROUPED, true))
            .withEpochs(2);

    @TempDir
    Path folder;

    /** Everything that a run tells. */
    private static final class Recorder implements TrainingListener {
        final List<Started> started = new ArrayList<>();
        final List<Stepped> steps = new ArrayList<>();
        final List<Evaluated> evaluations = new ArrayList<>();
        final List<Saved> saved = new ArrayList<>();
        final List<Ended> ended = new ArrayList<>();

        @Override
        public void onStart(Started event) {
            started.add(event);
        }

        @Override
        public void onStep(Stepped event) {
            steps.add(event);
        }

        @Override
        public void onEvaluate(Evaluated event) {
            evaluations.add(event);
        }

        @Override
        public void onSave(Saved event) {
            saved.add(event);
        }

        @Override
        public void onEnd(Ended event) {
            ended.add(event);
        }

        List<Double> losses() {
            return steps.stream().map(Stepped::loss).toList();
        }
    }

    private final Recorder recorder = new Recorder();

    private Trainer trainer(
            TrainSettings settings, Adapter adapter, @Nullable Evaluation evaluation, @Nullable Path run) {
        return new Trainer(settings, adapter, COUNTING, evaluation, run, List.of(recorder));
    }

    private static BooleanSupplier afterSteps(int steps) {
        int[] asked = {0};
        return () -> ++asked[0] == steps;
    }

    private static Evaluation scripted(Double... losses) {
        Iterator<Double> values = List.of(losses).iterator();
        return hooks -> Map.of("loss", values.next());
    }

    @Test
    void a_causal_model_learns_to_count() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        String before = LLAMA.checksum();
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(20, 99), 8);
        double first = predictor.predict(Selection.BASE.hooks(), p -> {}).mean();
        TrainResult result = trainer(SETTINGS.withEpochs(20), adapter, Evaluation.loss(predictor), null)
                .run();
        assertThat(result.reason()).isEqualTo(Reason.FINISHED);
        assertThat(result.steps()).isEqualTo(20 * 6);
        assertThat(result.metrics().get("loss")).isLessThan(first / 2);
        assertThat(recorder.losses().get(0)).isCloseTo(first, org.assertj.core.data.Offset.offset(1.0));
        assertThat(LLAMA.checksum()).isEqualTo(before);
        assertThat(result.adapter()).isNull();
    }

    @Test
    void a_classifier_learns_its_labels() {
        Base base = Tiny.classifier("large", "small");
        Adapter adapter = Tiny.lora(base, 0, 7);
        Predictor predictor = new Predictor(base, Tiny.labelled(60, 5), 16);
        int[] correct = {0};
        Evaluation evaluation = hooks -> {
            correct[0] = 0;
            double loss = predictor
                    .predict(hooks, p -> {
                        Prediction.OneClass one = (Prediction.OneClass) p;
                        correct[0] += one.predicted() == one.target() ? 1 : 0;
                    })
                    .mean();
            return Map.of("loss", loss, "accuracy", correct[0] / 60.0);
        };
        TrainSettings settings = TrainSettings.DEFAULT
                .withLearningRate(1e-2)
                .withBatchSize(16)
                .withEpochs(20)
                .with(new Evaluating(Every.EPOCH, "accuracy", true, true, null));
        TrainResult result =
                new Trainer(settings, adapter, Tiny.labelled(200, 3), evaluation, folder, List.of(recorder)).run();
        assertThat(result.best().value()).isGreaterThan(0.85);
        evaluation.evaluate(
                Selection.of(Adapter.load(base, folder.resolve("adapter"))).hooks());
        assertThat(correct[0] / 60.0)
                .as("the saved adapter is the best one")
                .isEqualTo(result.best().value());
    }

    @Test
    void steps_are_optimiser_steps_and_follow_the_schedule() {
        trainer(SETTINGS, Tiny.lora(LLAMA, 0, 7), null, null).run();
        assertThat(recorder.steps).hasSize(12);
        assertThat(recorder.steps.get(0).learningRate()).isEqualTo(1e-2);
        assertThat(recorder.steps.get(11).learningRate()).isEqualTo(1e-2 * (1.0 / 12));
        assertThat(recorder.steps.get(5).epoch()).isEqualTo(1.0);
        assertThat(recorder.steps.stream().mapToLong(Stepped::tokens).sum())
                .isEqualTo(2 * COUNTING.summary().tokens());
        assertThat(recorder.started.get(0).totalSteps()).isEqualTo(12);
        assertThat(recorder.ended).hasSize(1);
    }

    @Test
    void accumulated_batches_equal_the_large_one() {
        List<Map<String, float[]>> ends = new ArrayList<>();
        for (Batching batching : List.of(
                new Batching(8, 1, Order.FIXED, false),
                new Batching(4, 2, Order.FIXED, false),
                new Batching(1, 8, Order.FIXED, false))) {
            Adapter adapter = Tiny.lora(LLAMA, 0, 7);
            trainer(SETTINGS.with(batching), adapter, null, null).run();
            ends.add(Tiny.values(adapter));
        }
        for (int i = 1; i < 3; i++) {
            Map<String, float[]> other = ends.get(i);
            ends.get(0)
                    .forEach((name, values) ->
                            assertThat(other.get(name)).as(name).containsExactly(values, within()));
        }
    }

    private static org.assertj.core.data.Offset<Float> within() {
        return org.assertj.core.data.Offset.offset(2e-5f);
    }

    @Test
    void a_resumed_run_ends_with_the_same_bits() {
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(9, 4), 4);
        TrainSettings settings = SETTINGS.with(new Evaluating(Every.steps(3), "loss", false, true, null))
                .with(new Saving(Every.steps(5), 2));
        Adapter whole = Tiny.lora(LLAMA, 0.3, 7);
        TrainResult expected = trainer(settings, whole, Evaluation.loss(predictor), folder.resolve("whole"))
                .run();
        List<Double> losses = List.copyOf(recorder.losses());
        recorder.steps.clear();

        Path run = folder.resolve("parts");
        TrainResult result = null;
        Adapter end = whole;
        for (int part = 0; result == null || result.reason() == Reason.INTERRUPTED; part++) {
            Adapter adapter = Tiny.lora(LLAMA, 0.3, part == 0 ? 7 : 1000 + part);
            result = trainer(settings, adapter, Evaluation.loss(predictor), run).run(Resume.AUTO, afterSteps(2));
            assertThat(part).isLessThan(10);
            if (result.reason() == Reason.FINISHED) {
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
}
