package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.FrozenLayerCache;
import dev.graft.peft.Adapter;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.TrainSettings.Economy;
import dev.graft.train.TrainSettings.Every;
import dev.graft.train.TrainSettings.Saving;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.data.Batch;
import dev.graft.train.data.ExampleOrder;
import dev.graft.train.data.Examples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HiddenStateCacheTest {
    private static final Base LLAMA = Tiny.llama();
    private static final Examples ROWS = Tiny.counting(10, 1);

    @TempDir
    Path folder;

    private static Adapter upper(double dropout) {
        LoraConfig config = LoraConfig.DEFAULT
                .withR(4)
                .withAlpha(8)
                .withDropout(dropout)
                .withTargets(TargetModules.regex(".*layers\\.1\\..*(q|v)_proj"));
        return Adapter.create(LLAMA, new Lora(config), 7);
    }

    private List<Double> losses(Adapter adapter, long bytes) {
        TrainSettings settings = TrainSettings.DEFAULT
                .withLearningRate(1e-2)
                .withBatching(TrainSettings.DEFAULT.batching().withSize(3).withOrder(ExampleOrder.SHUFFLED))
                .withSaving(new Saving(Every.NEVER, 2))
                .withEconomy(Economy.NONE.withCacheBytes(bytes))
                .withEpochs(4);
        List<Double> losses = new ArrayList<>();
        TrainingListener watch = new TrainingListener() {
            @Override
            public void onStep(Stepped event) {
                losses.add(event.loss());
            }
        };
        new Trainer(settings, adapter, ROWS, null, folder.resolve("run" + bytes), List.of(watch)).run();
        return losses;
    }

    @Test
    void lossesAreThoseOfLayersThatRunInEveryStep() throws IOException {
        for (double dropout : new double[] {0, 0.3}) {
            List<Double> whole = losses(upper(dropout), -1);
            for (long bytes : new long[] {0, 2000, 1 << 20}) {
                List<Double> cached = losses(upper(dropout), bytes);
                assertThat(cached).hasSameSizeAs(whole);
                for (int i = 0; i < whole.size(); i++) {
                    assertThat(cached.get(i)).as("step %d, %d bytes", i, bytes).isCloseTo(whole.get(i), offset(2e-5));
                }
                try (Stream<Path> files = Files.walk(folder)) {
                    assertThat(files.map(Path::toString)).noneMatch(name -> name.contains(".hidden-states-"));
                }
            }
        }
    }

    @Test
    void rowsBeyondTheBoundGoToTheFileAndComeBackWithTheSameBits() {
        Batch batch = ROWS.batch(new int[] {0, 1, 2}, 0);
        float[] values = new float[3 * batch.width() * 32];
        for (int i = 0; i < values.length; i++) {
            values[i] = i * 0.37f;
        }
        try (HiddenStateCache cache = new HiddenStateCache(upper(0), batch.lengths()[0] * 32L * 4, folder)) {
            FrozenLayerCache frozenLayers = cache.of(batch);
            assertThat(frozenLayers.layers()).isEqualTo(1);
            assertThat(frozenLayers.cachedOutput()).isNull();
            frozenLayers.cacheOutput(Tensors.of(values, 3, batch.width(), 32));
            assertThat(cache.spilled()).isEqualTo(2);
            Tensor known = frozenLayers.cachedOutput();
            for (int row = 0; row < 3; row++) {
                int length = batch.lengths()[row];
                float[] back =
                        Tensors.floats(known.select(0, row).narrow(0, 0, length).contiguous());
                for (int i = 0; i < back.length; i++) {
                    assertThat(back[i]).isEqualTo(values[row * batch.width() * 32 + i]);
                }
            }
            assertThat(cache.of(ROWS.batch(new int[] {2, 3}, 0)).cachedOutput())
                    .as("one row is new")
                    .isNull();
        }
    }

    @Test
    void aKnownRowIsNotStoredAgainBesideANewOne() {
        Batch first = ROWS.batch(new int[] {0, 1}, 0);
        Batch second = ROWS.batch(new int[] {1, 2}, 0);
        long room = 32L * 4 * (first.lengths()[0] + first.lengths()[1] + second.lengths()[1]);
        try (HiddenStateCache cache = new HiddenStateCache(upper(0), room, folder)) {
            for (Batch batch : List.of(first, second)) {
                cache.of(batch).cacheOutput(Tensors.zeros(ScalarType.Float, 2, batch.width(), 32));
            }
            assertThat(cache.spilled()).as("all three rows have room").isZero();
        }
    }

    @Test
    void anAdapterOnTheFirstLayerIsRefused() {
        assertThatThrownBy(() -> losses(Tiny.lora(LLAMA, 0, 1), 1000))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("cache_frozen_layers keeps what the layers below");
        assertThat(Thread.getAllStackTraces().keySet())
                .as("a run that can't begin leaves no thread")
                .noneMatch(thread -> thread.getName().startsWith("graft-train"));
    }
}
