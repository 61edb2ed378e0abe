package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Batching;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.checkpoints.BestScore.EarlyStopping;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.loss.Prediction;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.ObjectNode;

/** What a run learns, and what it does in which step. */
class TrainerTest extends RecordedRuns {
    @Test
    void aCausalModelLearnsToCount() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        String before = LLAMA.checksum();
        Predictor predictor = new Predictor(LLAMA, Tiny.counting(20, 99), 8);
        double first = predictor.predict(Selection.BASE.hooks(), p -> {}).mean();
        TrainResult result = trainer(SETTINGS.withEpochs(12), adapter, Evaluation.loss(predictor), null)
                .run();
        assertThat(result.reason()).isEqualTo(EndReason.FINISHED);
        assertThat(result.steps()).isEqualTo(12 * 6);
        assertThat(result.metrics().get("loss")).isLessThan(first / 1.5);
        assertThat(recorder.losses().get(0)).isCloseTo(first, offset(1.0));
        assertThat(LLAMA.checksum()).isEqualTo(before);
        assertThat(result.adapter()).isNull();
    }

    @Test
    void aClassifierLearnsItsLabels() {
        Base base = Tiny.classifier("large", "small");
        Adapter adapter = Tiny.lora(base, 0, 7);
        Predictor predictor = new Predictor(base, Tiny.labelled(60, 5), 16);
        int[] correct = {0};
        Evaluation evaluation = hooks -> {
            correct[0] = 0;
            double loss = predictor
                    .predict(hooks, p -> {
                        Prediction.SingleLabel one = (Prediction.SingleLabel) p;
                        correct[0] += one.predicted() == one.target() ? 1 : 0;
                    })
                    .mean();
            return Map.of("loss", loss, "accuracy", correct[0] / 60.0);
        };
        TrainSettings settings = TrainSettings.DEFAULT
                .withLearningRate(1e-2)
                .withBatchSize(16)
                .withEpochs(6)
                .withEvaluating(SETTINGS.evaluating().withMetric("accuracy").withGreaterIsBetter(true));
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
    void stepsAreOptimiserStepsAndFollowTheSchedule() {
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
    void accumulatedBatchesEqualTheLargeOne() {
        List<Map<String, float[]>> ends = new ArrayList<>();
        Batching fixed =
                TrainSettings.DEFAULT.batching().withOrder(ExampleOrder.FIXED).withLongestFirst(false);
        for (Batching batching : List.of(
                fixed.withSize(8),
                fixed.withSize(4).withAccumulation(2),
                fixed.withSize(1).withAccumulation(8))) {
            Adapter adapter = Tiny.lora(LLAMA, 0, 7);
            trainer(SETTINGS.withBatching(batching), adapter, null, null).run();
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
    void theBestStepWinsAndTrainingStopsWhenNothingGetsBetter() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        List<Map<String, String>> seen = new ArrayList<>();
        Iterator<Double> losses = List.of(3.0, 1.0, 2.0, 1.5).iterator();
        Evaluation evaluation = hooks -> {
            seen.add(Tiny.hashes(adapter));
            return Map.of("loss", losses.next());
        };
        TrainSettings settings = SETTINGS.withEvaluating(
                SETTINGS.evaluating().withEvery(Every.steps(2)).withEarlyStopping(new EarlyStopping(2, 0)));
        TrainResult result = trainer(settings, adapter, evaluation, folder).run();
        assertThat(result.reason()).isEqualTo(EndReason.STOPPED_EARLY);
        assertThat(result.steps()).isEqualTo(8);
        assertThat(result.best().step()).isEqualTo(4);
        assertThat(recorder.evaluations).extracting(Evaluated::best).containsExactly(true, true, false, false);
        assertThat(Tiny.hashes(adapter)).isEqualTo(seen.get(1)).isNotEqualTo(seen.get(3));
        assertThat(Tiny.hashes(Adapter.load(LLAMA, result.adapter()))).isEqualTo(seen.get(1));

        Adapter again = Tiny.lora(LLAMA, 0, 8);
        TrainResult resumed = trainer(settings, again, evaluation, folder).run();
        assertThat(resumed.reason()).as("a run that ended does not go on").isEqualTo(EndReason.STOPPED_EARLY);
        assertThat(resumed.steps()).isEqualTo(8);
        assertThat(Tiny.hashes(again)).isEqualTo(seen.get(1));
    }

    @Test
    void theAverageIsEvaluatedAndSavedInPlaceOfTheAdapter() {
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
        TrainSettings settings = SETTINGS.withOptimization(
                        SETTINGS.optimization().withAveraging(0.5))
                .withMaxSteps(3)
                .withEvaluating(SETTINGS.evaluating().withEvery(Every.steps(3)));
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
    void aBatchLargerThanTheDataIsAllOfIt() {
        trainer(
                        SETTINGS.withBatching(TrainSettings.DEFAULT
                                .batching()
                                .withSize(100)
                                .withAccumulation(4)
                                .withOrder(ExampleOrder.SHUFFLED)),
                        Tiny.lora(LLAMA, 0, 7),
                        null,
                        null)
                .run();
        assertThat(recorder.steps).hasSize(2);
        assertThat(recorder.steps.get(0).tokens()).isEqualTo(COUNTING.summary().tokens());
    }

    @Test
    void epochsMayEndInTheMiddle() {
        TrainPlan plan = TrainPlan.of(SETTINGS.withEpochs(1.5), 23);
        assertThat(plan.stepsPerEpoch()).isEqualTo(6);
        assertThat(plan.totalSteps()).isEqualTo(9);
        assertThat(TrainPlan.of(SETTINGS.withMaxSteps(4), 23).epochs()).isCloseTo(4 / 6.0, offset(1e-12));
    }

    /** Trains nothing of its own: what is left is the head, which a classifier's adapter always trains. */
    private record HeadOnly() implements Method {
        @Override
        public Type type() {
            return new Lora(LoraConfig.DEFAULT).type();
        }

        @Override
        public void graft(Grafter grafter) {
            Linear first = (Linear) grafter.targets(TargetModules.ALL_LINEAR, Linear.class::isInstance)
                    .get(0);
            grafter.add(first, new Effect.Scale(null, null));
        }

        @Override
        public void write(ObjectNode config, Base base) {}
    }

    @Test
    void aLinearProbeTrainsTheHeadAlone() {
        Base base = Tiny.classifier("large", "small");
        Adapter adapter = Adapter.create(base, new HeadOnly(), 1);
        assertThat(adapter.trainable().keySet()).allMatch(name -> name.startsWith("classifier"));
        TrainSettings settings =
                TrainSettings.DEFAULT.withLearningRate(1e-2).withBatchSize(16).withEpochs(10);
        TrainResult result = new Trainer(settings, adapter, Tiny.labelled(80, 3), null, null, List.of(recorder)).run();
        assertThat(result.loss()).isLessThan(0.9 * recorder.losses().get(0));
    }
}
