package dev.graft.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Selection;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Row;
import dev.graft.train.loss.LossFunction;
import dev.graft.train.loss.Losses;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CalibrationExamplesTest {
    private static Adapter create(Base base, String start, Examples rows) {
        LoraConfig config = LoraConfig.DEFAULT.withR(4).withAlpha(4).withInit(LoraInits.of(start));
        return Adapter.create(
                base, AdapterConfig.of(base, new Lora(config)), CalibrationExamples.first(base, rows, 8), 1);
    }

    @Test
    void positionsThatCountAreThoseWithALabelOrAllButPadding() {
        Base base = Tiny.llama();
        List<Row> made = List.of(
                new Row.Tokens(new int[] {5, 6, 7}, new int[] {-100, -100, 7}),
                new Row.Tokens(new int[] {8, 9}, new int[] {-100, 9}));
        CalibrationExamples rows = CalibrationExamples.first(base, Tiny.causal(made), 8);
        List<long[]> seen = new ArrayList<>();
        rows.forward(true, mask -> {
            seen.add(Tensors.longs(mask));
            return Hooks.NONE;
        });
        rows.forward(false, mask -> {
            seen.add(Tensors.longs(mask));
            return Hooks.NONE;
        });

        assertThat(seen.get(0)).containsExactly(0, 0, 1, 0, 1, 0);
        assertThat(seen.get(1)).containsExactly(1, 1, 1, 1, 1, 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"eva", "corda", "lora_ga"})
    void startsOfAClassifierLookAtItsPoolerToo(String start) {
        Base base = Tiny.classifier("large", "small");
        Adapter adapter = create(base, start, Tiny.labelled(40, 1));

        assertThat(adapter.parameters()).containsKey("bert.pooler.dense.lora_A.weight");
        assertThat(adapter.trainable().values())
                .allSatisfy(
                        value -> assertThat(value.isfinite().all().item_bool()).isTrue());
    }

    /** What LoRA-GA is for: its first step lowers the loss more than that of plain LoRA with the same learning rate. */
    @Test
    void theFirstStepOfLoraGaFollowsTheGradient() {
        Base base = Tiny.llama();
        Examples rows = Tiny.counting(32, 1);

        assertThat(lowered(create(base, "lora_ga", rows), rows))
                .isGreaterThan(2 * lowered(create(base, "gaussian", rows), rows));
    }

    private static double lowered(Adapter adapter, Examples rows) {
        LossFunction lossFunction = Losses.of(adapter.base(), 0);
        Hooks hooks = Selection.of(adapter).hooks();
        Batch batch = rows.batch(IntStream.range(0, 32).toArray(), 0);
        double before = lossFunction.evaluate(hooks, batch).mean();
        lossFunction.backward(hooks, batch, lossFunction.terms(hooks, batch));
        try (dev.graft.tensor.NoGrad noGrad = new dev.graft.tensor.NoGrad()) {
            adapter.trainable().values().forEach(value -> {
                if (value.grad().defined()) {
                    value.sub_(value.grad(), new org.bytedeco.pytorch.Scalar(0.05));
                }
            });
        }
        return before - lossFunction.evaluate(hooks, batch).mean();
    }
}
