package dev.graft.train.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.peft.Adapter;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Example;
import dev.graft.train.data.Target;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TrainBenchmarkTest {
    private static final Path BASES = Path.of("../parity/fixtures/bases");

    /** Sequences that count upwards. */
    private static List<Example> rows(int count) {
        Random random = new Random(3);
        List<Example> rows = new ArrayList<>();
        for (int row = 0; row < count; row++) {
            int[] ids = new int[5 + random.nextInt(9)];
            Arrays.setAll(ids, i -> 3 + i);
            rows.add(new Example(row, ids, null, new Target.Tokens(ids)));
        }
        return rows;
    }

    private static Adapter lora() {
        return Adapter.create(Base.load(BASES.resolve("llama-gqa")), new Lora(LoraConfig.DEFAULT), 42);
    }

    @Test
    void everyStepLearns() {
        Adapter adapter = lora();
        String before = adapter.base().checksum();
        List<Timings.Step> seen = new ArrayList<>();
        Timings timings = new TrainBenchmark(adapter, 0).run(Recipe.TUNED.batches(rows(8), 4, 20), seen::add);
        assertThat(timings.steps()).hasSize(20).isEqualTo(seen);
        assertThat(timings.last().loss()).isLessThan(timings.first().loss() - 0.02);
        assertThat(adapter.base().checksum()).isEqualTo(before);
        assertThat(adapter.trainable().values())
                .allSatisfy(value -> assertThat(Tensors.floats(value)).doesNotContain(Float.NaN));
    }

    /** Adam's first step moves every parameter that has a gradient by the learning rate. */
    @Test
    void theLearningRateIsThatOfThePeer() {
        Adapter adapter = lora();
        new TrainBenchmark(adapter, 0).run(Recipe.DEFAULT.batches(rows(4), 4, 1), step -> {});
        float largest = 0;
        for (var parameter : adapter.trainable().entrySet()) {
            if (parameter.getKey().contains("lora_B")) {
                for (float value : Tensors.floats(parameter.getValue())) {
                    largest = Math.max(largest, Math.abs(value));
                }
            }
        }
        assertThat(largest).isCloseTo(1e-4f, within(1e-6f));
    }

    @Test
    void tokensAreThoseWithoutPadding() {
        List<Example> rows = rows(4);
        Timings timings = new TrainBenchmark(lora(), 0).run(Recipe.DEFAULT.batches(rows, 4, 2), step -> {});
        int real = rows.stream().mapToInt(Example::length).sum();
        assertThat(timings.tokens()).isEqualTo(2L * real);
        assertThat(timings.after(1).tokens()).isEqualTo(real);
    }

    @Test
    void rowsWithoutLabelsAreRefused() {
        List<Example> rows = List.of(new Example(0, new int[] {4, 5}, null, new Target.Tokens(new int[] {4, -100})));
        assertThatThrownBy(() -> new TrainBenchmark(lora(), 0).run(List.of(rows), step -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("step 1: none of its 1 rows has a label");
    }

    @Test
    void aClassifiersHeadIsTrainedToo() {
        Base base = Base.load(
                BASES.resolve("bert-base"), Base.Options.of(Task.SEQ_CLS).withLabels(List.of("a", "b", "c")));
        List<Example> rows = List.of(
                new Example(0, new int[] {4, 5, 6}, null, new Target.ClassId(0)),
                new Example(1, new int[] {7, 8}, null, new Target.ClassId(2)));
        Adapter adapter = Adapter.create(base, new Lora(LoraConfig.DEFAULT), 42);
        Timings timings = new TrainBenchmark(adapter, 0).run(Recipe.DEFAULT.batches(rows, 2, 15), step -> {});
        assertThat(timings.last().loss()).isLessThan(timings.first().loss());
    }

    @Test
    void figuresWeighStepsByTheirTime() {
        Timings timings = new Timings(List.of(
                new Timings.Step(1, 3, 1, 100, 1.0),
                new Timings.Step(2, 2, 1, 100, 3.0),
                new Timings.Step(3, 1, 1, 40, 2.0),
                new Timings.Step(4, 1, 1, 60, 9.0)));
        assertThat(timings.tokensPerSecond()).isEqualTo(20);
        assertThat(timings.medianSeconds()).isEqualTo(2.5);
        assertThat(timings.after(1).medianSeconds()).isEqualTo(3);
        assertThat(timings.after(3).first()).isEqualTo(timings.last());
    }
}
