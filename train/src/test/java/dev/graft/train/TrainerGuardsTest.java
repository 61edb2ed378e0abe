package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Sora;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.LearningRate;
import dev.graft.train.TrainSettings.Optimization;
import dev.graft.train.TrainingEvent.EndReason;
import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.FlatParameters;
import dev.graft.train.optim.Lbfgs;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a run refuses, and what ends it. */
class TrainerGuardsTest extends RecordedRuns {
    @Test
    void settingsThatDoNotGoTogetherAreRefusedByName() {
        Adapter lora = Tiny.lora(LLAMA, 0, 7);
        assertThatThrownBy(() -> with(Lbfgs.Settings.DEFAULT))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("max_grad_norm is 1.0; set it to 0");
        TrainSettings unknown = SETTINGS.withOptimization(
                SETTINGS.optimization().withGroups(List.of(new ParameterGroup("lora_Q", 1e-3, null))));
        assertThatThrownBy(() -> trainer(unknown, lora, null, null).run())
                .hasMessageContaining("no trained parameter has lora_Q in its name");
        assertThatThrownBy(() -> new ParameterGroup("(", 1e-3, null)).hasMessageContaining("not a regular expression");
        Adapter sora = Adapter.create(LLAMA, Sora.DEFAULT, 1);
        TrainSettings averaged =
                SETTINGS.withOptimization(SETTINGS.optimization().withAveraging(0.9));
        assertThatThrownBy(() -> trainer(averaged, sora, null, null).run())
                .hasMessageContaining("ema_decay averages the values of many steps, but sora");
    }

    @Test
    void schedulesThatCannotBeMeantAreRefusedWithTheSettings() {
        assertThatThrownBy(() -> scheduled("linear", Map.of("power", 2)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("lr_scheduler linear has no option power");
        TrainSettings decaying = scheduled("warmup_stable_decay", Map.of("num_decay_steps", 30));
        assertThatThrownBy(() -> decaying.withMaxSteps(20)).hasMessageContaining("do not fit into 20");
        TrainSettings watching = scheduled("reduce_lr_on_plateau", Map.of());
        assertThatThrownBy(() -> watching.withEvaluating(watching.evaluating().withEvery(Every.NEVER)))
                .hasMessageContaining("reduce_lr_on_plateau watches the score of evaluations");
    }

    private static TrainSettings scheduled(String name, Map<String, ?> options) {
        return TrainSettings.DEFAULT.withOptimization(
                new Optimization(AdamW.Settings.DEFAULT, 1e-3, new LearningRate(name, options, 0, 0), 1, 0));
    }

    @Test
    void whatFailsWhenARunEndsHidesNeitherWhyItEndedNorThatItDid() {
        List<EndReason> heard = new ArrayList<>();
        TrainingListener failing = new TrainingListener() {
            @Override
            public void onStep(Stepped stepped) {
                throw new IllegalStateException("the disk is full");
            }

            @Override
            public void onEnd(Ended ended) {
                throw new IllegalStateException("and the log isn't whole");
            }
        };
        TrainingListener listening = new TrainingListener() {
            @Override
            public void onEnd(Ended ended) {
                heard.add(ended.reason());
            }
        };
        Trainer trainer =
                new Trainer(SETTINGS, Tiny.lora(LLAMA, 0, 7), COUNTING, null, null, List.of(failing, listening));
        assertThatThrownBy(trainer::run)
                .hasMessage("the disk is full")
                .satisfies(why -> assertThat(why.getSuppressed())
                        .singleElement()
                        .satisfies(late -> assertThat(late).hasMessage("and the log isn't whole")));
        assertThat(heard).containsExactly(EndReason.FAILED);
    }

    @Test
    void aLossThatJumpsIsSkippedAndEndsTheRunWhenItStays() {
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
    void lossesThatAreNotFiniteEndTheRunWithStepsAndRowsNamed() {
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
        assertThat(recorder.ended).extracting(Ended::reason).containsExactly(EndReason.FAILED);
        assertThat(recorder.ended.get(0).step()).isEqualTo(2);
    }

    @Test
    void learningRatesThatCannotBeMeantAreRefused() {
        for (double rate : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY, 1e10}) {
            assertThatThrownBy(() -> SETTINGS.withLearningRate(rate))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("learning_rate is " + rate);
        }
        assertThatThrownBy(() -> SETTINGS.withBatchSize(0)).hasMessageContaining("batch_size is 0");
        assertThatThrownBy(() -> SETTINGS.withEpochs(0)).hasMessageContaining("epochs is 0");
        assertThatThrownBy(() -> TrainSettings.DEFAULT.batching().withAccumulation(0))
                .hasMessageContaining("gradient_accumulation_steps is 0");
    }

    @Test
    void aParameterThatTheLossDoesNotReachIsAnErrorByName() {
        FlatParameters parameters = new FlatParameters(Tiny.lora(LLAMA, 0, 7).trainable());
        List<String> names = List.copyOf(parameters.parameters().keySet());
        Tensor reached = parameters.parameters().values().iterator().next();
        Runnable backward = () -> reached.sum().backward();
        List<String> unreached = parameters.unreachedBy(names, backward);
        assertThat(unreached).isEqualTo(names.subList(1, names.size()));
        assertThat(Tensors.floats(parameters.gradients())).startsWith(1f, 1f).endsWith(0f);
        assertThat(parameters.unreachedBy(unreached, backward)).isEqualTo(unreached);
        assertThat(Tensors.floats(parameters.gradients()))
                .as("what another pass adds")
                .startsWith(2f, 2f)
                .endsWith(0f);
    }

    @Test
    void aMetricThatIsWatchedButNotGivenIsRefusedWithThoseThereAre() {
        TrainSettings settings = SETTINGS.withEvaluating(SETTINGS.evaluating()
                .withEvery(Every.steps(1))
                .withMetric("accuracy")
                .withGreaterIsBetter(true));
        assertThatThrownBy(() -> trainer(settings, Tiny.lora(LLAMA, 0, 7), hooks -> Map.of("loss", 1.0), null)
                        .run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the metric accuracy is watched, but the evaluation gives only loss");
        assertThat(recorder.ended).extracting(Ended::reason).containsExactly(EndReason.FAILED);
    }

    /** The process whose memory is looked at: says what it has after its 100th step and after its last. */
    static final class LongRun {
        private static final int STEPS = 500;

        public static void main(String[] arguments) {
            TrainSettings settings = SETTINGS.withMaxSteps(STEPS)
                    .withBatching(TrainSettings.DEFAULT.batching().withSize(2).withOrder(ExampleOrder.SHUFFLED));
            TrainingListener listener = new TrainingListener() {
                @Override
                public void onStep(Stepped stepped) {
                    if (stepped.step() == 100 || stepped.step() == STEPS) {
                        System.out.println(stepped.memoryBytes());
                    }
                }
            };
            new Trainer(settings, Tiny.lora(LLAMA, 0.1, 7), COUNTING, null, null, List.of(listener)).run();
        }
    }

    /**
     * In a process whose Java heap is resident from the start, as one that still grows into its room looks like a leak, and large enough that nothing
     * is collected meanwhile.
     */
    @Tag("slow")
    @Test
    void memoryStaysFlatOverManySteps() throws IOException {
        assumeTrue(ResidentMemory.bytes() > 0);
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:+AlwaysPreTouch",
                        "-Xms400m",
                        "-Xmx400m",
                        "-Xmn320m",
                        "-cp",
                        classPath,
                        LongRun.class.getName())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = process.inputReader()) {
            List<Long> bytes = lines.lines().map(Long::valueOf).toList();
            assertThat(bytes).hasSize(2);
            assertThat(bytes.get(1) - bytes.get(0)).isLessThan(24L << 20);
        } finally {
            process.destroyForcibly();
        }
    }
}
