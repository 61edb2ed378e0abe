package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.Targets;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import dev.graft.peft.methods.Sora;
import dev.graft.tensor.Tensors;
import dev.graft.train.BestScore.EarlyStopping;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Evaluating;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Limits;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Reason;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.checkpoints.Checkpoints;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Order;
import dev.graft.train.loss.Prediction;
import dev.graft.train.optim.Adafactor;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.AdamW8bit;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Lion;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.Riemannian;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

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

    @Test
    void a_causal_model_learns_to_count() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        String before = LLAMA.checksum();
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(20, 99), 8);
        double first = predictor.predict(Selection.BASE.hooks(), p -> {}).mean();
        TrainResult result = trainer(SETTINGS.withEpochs(12), adapter, Evaluation.loss(predictor), null)
                .run();
        assertThat(result.reason()).isEqualTo(Reason.FINISHED);
        assertThat(result.steps()).isEqualTo(12 * 6);
        assertThat(result.metrics().get("loss")).isLessThan(first / 1.5);
        assertThat(recorder.losses().get(0)).isCloseTo(first, offset(1.0));
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
                .withEpochs(6)
                .with(new Evaluating(Every.EPOCH, "accuracy", true, true, null));
        TrainResult result =
                new Trainer(settings, adapter, Tiny.labelled(80, 3), evaluation, folder, List.of(recorder)).run();
        assertThat(result.best().value()).isGreaterThan(0.8);
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
        return offset(2e-5f);
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

    @Test
    void the_best_step_wins_and_training_stops_when_nothing_gets_better() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        List<Map<String, String>> seen = new ArrayList<>();
        Iterator<Double> losses = List.of(3.0, 1.0, 2.0, 1.5).iterator();
        Evaluation evaluation = hooks -> {
            seen.add(Tiny.hashes(adapter));
            return Map.of("loss", losses.next());
        };
        TrainSettings settings =
                SETTINGS.with(new Evaluating(Every.steps(2), "loss", false, true, new EarlyStopping(2, 0)));
        TrainResult result = trainer(settings, adapter, evaluation, folder).run();
        assertThat(result.reason()).isEqualTo(Reason.STOPPED_EARLY);
        assertThat(result.steps()).isEqualTo(8);
        assertThat(result.best().step()).isEqualTo(4);
        assertThat(recorder.evaluations).extracting(Evaluated::best).containsExactly(true, true, false, false);
        assertThat(Tiny.hashes(adapter)).isEqualTo(seen.get(1)).isNotEqualTo(seen.get(3));
        assertThat(Tiny.hashes(Adapter.load(LLAMA, result.adapter()))).isEqualTo(seen.get(1));

        Adapter again = Tiny.lora(LLAMA, 0, 8);
        TrainResult resumed = trainer(settings, again, evaluation, folder).run();
        assertThat(resumed.reason()).as("a run that ended does not go on").isEqualTo(Reason.STOPPED_EARLY);
        assertThat(resumed.steps()).isEqualTo(8);
        assertThat(Tiny.hashes(again)).isEqualTo(seen.get(1));
    }

    @Test
    void a_metric_that_is_watched_but_not_given_is_refused_with_those_there_are() {
        TrainSettings settings = SETTINGS.with(new Evaluating(Every.steps(1), "accuracy", true, true, null));
        assertThatThrownBy(() -> trainer(settings, Tiny.lora(LLAMA, 0, 7), hooks -> Map.of("loss", 1.0), null)
                        .run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the metric accuracy is watched, but the evaluation gives only loss");
        assertThat(recorder.ended).extracting(Ended::reason).containsExactly(Reason.FAILED);
    }

    @Test
    void time_that_runs_out_ends_the_run_after_a_step_with_a_checkpoint() {
        TrainSettings settings = SETTINGS.with(new Limits(2, 0, Duration.ofNanos(1)));
        TrainResult result =
                trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run();
        assertThat(result.reason()).isEqualTo(Reason.OUT_OF_TIME);
        assertThat(result.steps()).isEqualTo(1);
        assertThat(new Checkpoints(folder, 0).last().state().step()).isEqualTo(1);
        assertThat(folder.resolve("adapter/adapter_config.json")).exists();
        assertThat(folder.resolve("checkpoint-1/adapter/adapter_config.json")).exists();
    }

    @Test
    void checkpoints_appear_in_rhythm_and_only_the_newest_stay() {
        trainer(SETTINGS.with(new Saving(Every.steps(3), 2)), Tiny.lora(LLAMA, 0, 7), null, folder)
                .run();
        assertThat(recorder.saved).extracting(Saved::step).containsExactly(3L, 6L, 9L, 12L);
        assertThat(new Checkpoints(folder, 0).folders().keySet()).containsExactly(9L, 12L);
    }

    @Test
    void a_run_resumes_only_with_the_settings_and_rows_it_began_with() {
        TrainSettings settings = SETTINGS.with(new Saving(Every.steps(3), 2));
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
    void a_damaged_checkpoint_is_passed_over_and_named() throws IOException {
        TrainSettings settings = SETTINGS.with(new Saving(Every.steps(3), 0));
        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run(Resume.NEVER, afterSteps(6));
        Files.write(folder.resolve("checkpoint-6/optimizer.safetensors"), new byte[] {1, 2, 3});
        trainer(settings, Tiny.lora(LLAMA, 0, 7), null, folder).run();
        Started started = recorder.started.get(1);
        assertThat(started.step()).isEqualTo(3);
        assertThat(started.rejected()).singleElement().asString().contains("optimizer.safetensors");
    }

    @Test
    void a_second_run_in_the_folder_is_refused() {
        Evaluation second = hooks -> {
            assertThatThrownBy(() -> trainer(SETTINGS, Tiny.lora(LLAMA, 0, 7), null, folder)
                            .run())
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("is in use by another run");
            return Map.of("loss", 1.0);
        };
        TrainResult result = trainer(SETTINGS.withMaxSteps(1), Tiny.lora(LLAMA, 0, 7), second, folder)
                .run();
        assertThat(result.reason()).isEqualTo(Reason.FINISHED);
        assertThat(recorder.evaluations).hasSize(1);
    }

    private static TrainSettings with(Optimizer.Settings optimizer) {
        return SETTINGS.with(SETTINGS.optimization().with(optimizer));
    }

    @Test
    void a_resumed_run_equals_an_uninterrupted_one_with_every_optimiser_groups_and_an_average() throws IOException {
        List<Optimizer.Settings> optimizers = List.of(
                new AdamW8bit.Settings(AdamW.Settings.DEFAULT, 64),
                Adafactor.Settings.DEFAULT,
                Lion.Settings.DEFAULT,
                new Riemannian.Settings(AdamW.Settings.DEFAULT, 1e-2),
                new Lbfgs.Settings(2, 4, 1e-7, 1e-9, 3, true));
        for (Optimizer.Settings optimizer : optimizers) {
            boolean plain = optimizer instanceof Lbfgs.Settings;
            TrainSettings settings = with(optimizer);
            TrainSettings.Optimization all = settings.optimization().withAveraging(0.9);
            settings = settings.with(
                    plain
                            ? new TrainSettings.Optimization(
                                    optimizer, 0.1, null, all.schedule(), 0, 0, List.of(), 0.9, 10)
                            : all.withGroups(List.of(new ParameterGroup("lora_B", 5e-3, 0.1))));
            settings = settings.withMaxSteps(8).with(new Saving(Every.steps(100), 2));
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

    @Test
    void the_average_is_evaluated_and_saved_in_place_of_the_adapter() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        List<float[]> path = new ArrayList<>();
        String name = adapter.trainable().keySet().iterator().next();
        path.add(Tensors.floats(adapter.value(name)));
        TrainingListener watch = new TrainingListener() {
            @Override
            public void onStep(Stepped event) {
                path.add(Tensors.floats(adapter.value(name)));
            }
        };
        List<float[]> evaluated = new ArrayList<>();
        Evaluation evaluation = hooks -> {
            evaluated.add(Tensors.floats(adapter.value(name)));
            return Map.of("loss", 1.0);
        };
        TrainSettings settings = SETTINGS.with(SETTINGS.optimization().withAveraging(0.5))
                .withMaxSteps(3)
                .with(new Evaluating(Every.steps(3), "loss", false, true, null));
        new Trainer(settings, adapter, COUNTING, evaluation, null, List.of(watch)).run();
        double mean = path.get(0)[5];
        for (int t = 1; t <= 3; t++) {
            double decay = Math.min(0.5, (1.0 + t) / (10 + t));
            mean = decay * mean + (1 - decay) * path.get(t)[5];
        }
        assertThat(evaluated.get(0)[5]).isCloseTo((float) mean, offset(1e-6f)).isNotEqualTo(path.get(3)[5]);
        assertThat(Tensors.floats(adapter.value(name))).isEqualTo(evaluated.get(0));
    }

    @Test
    void settings_that_do_not_go_together_are_refused_by_name() {
        Adapter lora = Tiny.lora(LLAMA, 0, 7);
        assertThatThrownBy(() ->
                        trainer(with(Lbfgs.Settings.DEFAULT), lora, null, null).run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("max_grad_norm is 1.0; set it to 0");
        TrainSettings unknown =
                SETTINGS.with(SETTINGS.optimization().withGroups(List.of(new ParameterGroup("lora_Q", 1e-3, null))));
        assertThatThrownBy(() -> trainer(unknown, lora, null, null).run())
                .hasMessageContaining("no trained parameter has lora_Q in its name");
        assertThatThrownBy(() -> new ParameterGroup("(", 1e-3, null)).hasMessageContaining("not a regular expression");
        Adapter sora = Adapter.create(LLAMA, Sora.DEFAULT, 1);
        TrainSettings averaged = SETTINGS.with(SETTINGS.optimization().withAveraging(0.9));
        assertThatThrownBy(() -> trainer(averaged, sora, null, null).run())
                .hasMessageContaining("ema_decay averages the values of many steps, but sora");
    }

    @Test
    void a_loss_that_jumps_is_skipped_and_ends_the_run_when_it_stays() {
        LossGuard guard = new LossGuard(3, 4);
        for (int step = 1; step <= 12; step++) {
            assertThat(guard.accepts(step, 2.0 / step, 1, () -> "", List::of)).isTrue();
        }
        assertThat(guard.accepts(13, 1.9, 1, () -> "", List::of))
                .as("above the median, but not above the first loss")
                .isTrue();
        assertThat(guard.accepts(14, 30, 1, () -> "", List::of)).isFalse();
        assertThat(guard.accepts(15, 0.2, 1, () -> "", List::of)).isTrue();
        LossGuard resumed = new LossGuard(3, 4);
        resumed.losses().copy_(guard.losses());
        for (LossGuard each : List.of(guard, resumed)) {
            assertThat(each.accepts(16, 30, 1, () -> "", List::of)).isFalse();
            assertThat(each.accepts(17, 31, 1, () -> "", List::of)).isFalse();
            assertThatThrownBy(() -> each.accepts(18, 32, 1, () -> "", () -> List.of("rows:9")))
                    .isInstanceOf(TrainingException.class)
                    .hasMessageContaining("training stopped at step 18, 3 step(s) in a row were far above")
                    .hasMessageContaining("rows [rows:9]");
        }
        LossGuard off = new LossGuard(1, 0);
        for (int step = 1; step <= 20; step++) {
            assertThat(off.accepts(step, Math.exp(step), 1, () -> "", List::of)).isTrue();
        }
    }

    @Test
    void losses_that_are_not_finite_end_the_run_with_steps_and_rows_named() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        adapter.trainable().values().iterator().next().detach().fill_(new Scalar(Double.NaN));
        Map<String, String> before = Tiny.hashes(adapter);
        assertThatThrownBy(() -> trainer(SETTINGS, adapter, null, folder).run())
                .isInstanceOf(TrainingException.class)
                .hasMessageContaining("training stopped at step 3")
                .hasMessageContaining("step 1: loss NaN")
                .hasMessageContaining("the first bad tensor is the parameter "
                        + adapter.trainable().keySet().iterator().next())
                .hasMessageContaining("rows:");
        assertThat(Tiny.hashes(adapter)).isEqualTo(before);
        assertThat(recorder.steps).hasSize(2);
        assertThat(recorder.ended).extracting(Ended::reason).containsExactly(Reason.FAILED);
        assertThat(recorder.ended.get(0).step()).isEqualTo(2);
    }

    @Test
    void learning_rates_that_cannot_be_meant_are_refused() {
        for (double rate : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY, 1e10}) {
            assertThatThrownBy(() -> SETTINGS.withLearningRate(rate))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("learning_rate is " + rate);
        }
        assertThatThrownBy(() -> SETTINGS.withBatchSize(0)).hasMessageContaining("batch_size is 0");
        assertThatThrownBy(() -> SETTINGS.withEpochs(0)).hasMessageContaining("epochs is 0");
        assertThatThrownBy(() -> new Batching(1, 0, Order.FIXED, false))
                .hasMessageContaining("gradient_accumulation_steps is 0");
    }

    @Test
    void a_batch_larger_than_the_data_is_all_of_it() {
        trainer(SETTINGS.with(new Batching(100, 4, Order.SHUFFLED, true)), Tiny.lora(LLAMA, 0, 7), null, null)
                .run();
        assertThat(recorder.steps).hasSize(2);
        assertThat(recorder.steps.get(0).tokens()).isEqualTo(COUNTING.summary().tokens());
    }

    @Test
    void epochs_may_end_in_the_middle() {
        TrainPlan plan = TrainPlan.of(SETTINGS.withEpochs(1.5), 23);
        assertThat(plan.stepsPerEpoch()).isEqualTo(6);
        assertThat(plan.totalSteps()).isEqualTo(9);
        assertThat(TrainPlan.of(SETTINGS.withMaxSteps(4), 23).epochs()).isCloseTo(4 / 6.0, offset(1e-12));
    }

    @Test
    void a_parameter_that_the_loss_does_not_reach_is_an_error_by_name() {
        FlatParameters parameters = new FlatParameters(Tiny.lora(LLAMA, 0, 7).trainable());
        Tensor reached = parameters.parameters().values().iterator().next();
        List<String> unreached = parameters.unreachedBy(() -> reached.sum().backward());
        assertThat(unreached)
                .hasSize(parameters.parameters().size() - 1)
                .doesNotContain(parameters.parameters().keySet().iterator().next());
        assertThat(Tensors.floats(parameters.gradients())).startsWith(1f, 1f).endsWith(0f);
    }

    @Test
    void memory_stays_flat_over_many_steps() {
        assumeTrue(ResidentMemory.bytes() > 0);
        TrainSettings settings = SETTINGS.withMaxSteps(500).with(new Batching(2, 1, Order.SHUFFLED, true));
        trainer(settings, Tiny.lora(LLAMA, 0.1, 7), null, null).run();
        long early = recorder.steps.get(100).memoryBytes();
        long late = recorder.steps.get(499).memoryBytes();
        assertThat(late - early).isLessThan(24L << 20);
    }

    /** Trains nothing of its own: what is left is the head, which a classifier's adapter always trains. */
    private record HeadOnly() implements Method {
        @Override
        public Type type() {
            return new Lora(LoraConfig.DEFAULT).type();
        }

        @Override
        public void graft(Grafter grafter) {
            Linear first = (Linear) grafter.targets(Targets.ALL_LINEAR, Linear.class::isInstance)
                    .get(0);
            grafter.add(first, new Effect.Scale(null, null));
        }

        @Override
        public void write(ObjectNode config, Base base) {}
    }

    @Test
    void a_linear_probe_trains_the_head_alone() {
        Base base = Tiny.classifier("large", "small");
        Adapter adapter = Adapter.create(base, new HeadOnly(), 1);
        assertThat(adapter.trainable().keySet()).allMatch(name -> name.startsWith("classifier"));
        TrainSettings settings =
                TrainSettings.DEFAULT.withLearningRate(1e-2).withBatchSize(16).withEpochs(10);
        TrainResult result = new Trainer(settings, adapter, Tiny.labelled(80, 3), null, null, List.of(recorder)).run();
        assertThat(result.loss()).isLessThan(0.9 * recorder.losses().get(0));
    }
}
