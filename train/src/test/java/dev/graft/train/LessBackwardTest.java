package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import org.bytedeco.pytorch.Scalar;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** AutoFreeze and DropBP. */
class LessBackwardTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Examples ROWS = Tiny.counting(12, 1);
    private static final TrainSettings SETTINGS = TrainSettings.DEFAULT
            .withLearningRate(1e-2)
            .withBatchSize(3)
            .withSaving(new Saving(Every.steps(100), 2))
            .withMaxSteps(20);

    @TempDir
    Path folder;

    private static float[] gradients(Adapter adapter, Function<Hooks, ForwardPass> passes) {
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        Batch batch = ROWS.batch(new int[] {0, 1, 2}, 0);
        LossFunction lossFunction = Losses.of(adapter.base(), 0, (hooks, rows) -> passes.apply(hooks));
        try (DataParallel workers = new DataParallel(lossFunction, adapter, parameters, 1)) {
            workers.backward(List.of(batch), 3, 1, 1, false);
            return Tensors.floats(parameters.gradients());
        }
    }

    private static Adapter perturbed() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        adapter.trainable().values().forEach(value -> value.detach().add_(new Scalar(0.02)));
        return adapter;
    }

    /** The network is the sum over paths through or past each block; a block that is passed takes all paths through it away. */
    @Test
    void aGradientGoesPastABlockAndItsParametersGetNone() {
        Predicate<Block> second = block -> block.layer() == 1 && block.kind() == Block.Kind.FEED_FORWARD;
        Adapter adapter = perturbed();
        float[] whole = gradients(adapter, ForwardPass::training);
        float[] past = gradients(adapter, hooks -> ForwardPass.training(hooks).withSkippedBackward(second));
        float[] checkpointed = gradients(
                adapter,
                hooks -> ForwardPass.training(hooks).withSkippedBackward(second).checkpointed());
        assertThat(past).isNotEqualTo(whole).isEqualTo(checkpointed);
        assertThat(gradients(adapter, hooks -> ForwardPass.training(hooks).withSkippedBackward(block -> false)))
                .isEqualTo(whole);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        parameters.gradients().copy_(Tensors.of(past, past.length));
        adapter.trainable().keySet().forEach(name -> {
            double norm =
                    Tensors.item(parameters.within(name, parameters.gradients()).norm());
            if (name.contains("layers.1.mlp")) {
                assertThat(norm).as(name).isZero();
            } else {
                assertThat(norm).as(name).isPositive();
            }
        });
    }

    @Test
    void ratesGoToTheLeastSensitiveBlocksUntilTheShareIsReached() {
        DropBackward drop = new DropBackward(LLAMA, 0.5, 1, 100);
        double[] sensitivities = {0, 4, 1, 1000, 1000};
        int[] asked = {0};
        DropBackward.GradientDistance distance = () -> sensitivities[asked[0]++];
        drop.draw(10, distance);
        assertThat(asked[0]).as("nothing is measured in the first tenth").isZero();
        drop.draw(11, distance);
        assertThat(asked[0]).as("once whole, once without each of 2 x 2 blocks").isEqualTo(5);
        double[] rates = Tensors.doubles(drop.rates());
        List<Block> blocks = LLAMA.sites().stream()
                .filter(Block.class::isInstance)
                .map(Block.class::cast)
                .toList();
        // Attention: 2 x 32 x 32 + 2 x 32 x 16, feed-forward: 3 x 32 x 64.
        double dropped = 0;
        double all = 0;
        for (int i = 0; i < 4; i++) {
            double work = blocks.get(i).kind() == Block.Kind.ATTENTION ? 3072 : 6144;
            dropped += rates[i] * work;
            all += work;
            assertThat(rates[i]).isBetween(0.0, 0.9 + 1e-9);
        }
        assertThat(dropped / all).isBetween(0.5, 0.56);
        assertThat(rates[1]).as("the less sensitive").isGreaterThan(rates[2]);
        int[] drops = new int[4];
        for (int step = 12; step < 2012; step++) {
            drop.draw(step, distance);
            for (int i = 0; i < 4; i++) {
                drops[i] += drop.drops(blocks.get(i)) ? 1 : 0;
            }
        }
        for (int i = 0; i < 4; i++) {
            assertThat(drops[i] / 2000.0).isCloseTo(rates[i], offset(0.05));
        }
    }

    private static TrainResult train(TrainSettings settings, Adapter adapter, Path run, int stop) {
        int[] steps = {0};
        TrainingListener count = new TrainingListener() {
            @Override
            public void onStep(Stepped event) {
                steps[0]++;
            }
        };
        return new Trainer(settings, adapter, ROWS, null, run, List.of(count)).run(Resume.AUTO, () -> steps[0] >= stop);
    }

    @Test
    void bothGoOnFromACheckpointWithTheSameBits() {
        for (Economy economy : List.of(
                Economy.NONE.withDropBackward(0.4),
                Economy.NONE.withCheckpointing(true).withFreezePercentile(60).withFreezeSteps(3))) {
            TrainSettings settings = SETTINGS.withEconomy(economy);
            Path whole = folder.resolve("whole" + economy.dropBackward());
            Path cut = folder.resolve("cut" + economy.dropBackward());
            train(settings, Tiny.lora(LLAMA, 0.1, 7), whole, 100);
            train(settings, Tiny.lora(LLAMA, 0.1, 7), cut, 7);
            train(settings, Tiny.lora(LLAMA, 0.1, 8), cut, 5);
            train(settings, Tiny.lora(LLAMA, 0.1, 9), cut, 100);
            for (String file : List.of("adapter/adapter_model.safetensors", "checkpoint-20/run.safetensors")) {
                assertThat(cut.resolve(file)).as("%s", economy).hasSameBinaryContentAs(whole.resolve(file));
            }
        }
    }

    /** The second layer's gradients go on changing, those of the first don't. */
    @Test
    void leadingLayersThatStoppedToChangeAreFrozenForGood() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        AutoFreeze freeze = new AutoFreeze(new AutoFreeze.Settings(50, 2), 100, adapter, parameters);
        for (int step = 1; step <= 4; step++) {
            for (String name : adapter.trainable().keySet()) {
                double value = name.contains("layers.0.") ? 1 : step;
                parameters.within(name, parameters.gradients()).fill_(new Scalar(value));
            }
            assertThat(freeze.observe(step)).as("step %d", step).isEqualTo(step == 4);
        }
        assertThat(freeze.frozen()).isNotEmpty().allMatch(name -> name.contains("layers.0."));
        for (int step = 5; step <= 12; step++) {
            freeze.observe(step);
        }
        assertThat(freeze.frozen()).as("the last layer always learns").allMatch(name -> name.contains("layers.0."));
    }

    @Test
    void aFrozenLayerStaysAndTheBackwardPassEndsAboveIt() {
        Adapter adapter = Tiny.lora(LLAMA, 0, 7);
        List<float[]> path = new ArrayList<>();
        String first = adapter.trainable().keySet().stream()
                .filter(name -> name.contains("layers.0."))
                .findFirst()
                .orElseThrow();
        TrainingListener watch = new TrainingListener() {
            @Override
            public void onStep(Stepped event) {
                path.add(Tensors.floats(adapter.value(first)));
            }
        };
        new Trainer(
                        SETTINGS.withEconomy(
                                Economy.NONE.withFreezePercentile(100).withFreezeSteps(4)),
                        adapter,
                        ROWS,
                        null,
                        null,
                        List.of(watch))
                .run();
        assertThat(Arrays.equals(path.get(5), path.get(6)))
                .as("learns until step 7")
                .isFalse();
        for (int step = 7; step < 20; step++) {
            assertThat(path.get(step)).as("frozen from step 8 on").isEqualTo(path.get(6));
        }
        assertThat(adapter.value(first).requires_grad()).isFalse();
    }

    @Test
    void blocksThatAreNotSimplyAddedAreRefused() {
        TrainSettings settings = SETTINGS.withEconomy(Economy.NONE.withDropBackward(0.5));
        Adapter bert = Tiny.lora(Tiny.classifier("large", "small"), 0, 1);
        assertThatThrownBy(() -> new Trainer(settings, bert, Tiny.labelled(6, 1), null, null, List.of()).run())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("bert normalises after the addition");
        assertThatThrownBy(() -> Economy.NONE.withFreezePercentile(101)).hasMessageContaining("auto_freeze is 101");
        assertThatThrownBy(() -> Economy.NONE.withDropBackward(1)).hasMessageContaining("drop_backward is 1");
    }
}
