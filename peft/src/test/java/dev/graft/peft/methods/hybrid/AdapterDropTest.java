package dev.graft.peft.methods.hybrid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.methods.bottleneck.BottleneckConfig;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class AdapterDropTest extends MethodContract {
    private static final Pfeiffer WIDE =
            new Pfeiffer(BottleneckConfig.DEFAULT.withReduction(0.5).withScaling(BottleneckConfig.Scaling.of(8)));

    @Override
    protected List<Case> cases() {
        long count = 2 * (2 * 32 * 64 + 64 + 32);
        return List.of(
                new Case(Bases.BERT, new AdapterDrop(WIDE, 1, false), count, false),
                new Case(Bases.LLAMA, new AdapterDrop(WIDE, 1, true), count, false));
    }

    private static Tensor logits(Adapter adapter, Selection selection) {
        return adapter.base().logits(Bases.batch(), ForwardPass.inference(selection.hooks()));
    }

    @Test
    void itsLowestLayersAreDroppedForAStepAndForEveryTwin() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new AdapterDrop(WIDE, 1, true), 1);
        Adapter twin = adapter.replica();
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(10, 5, 1e-3, 7));
        Tensor whole = logits(adapter, Selection.of(adapter));
        Tensor upper = logits(adapter, Selection.of(adapter).skipping(Set.of(0)));

        rule.beforeStep(0);
        assertThat(logits(adapter, Selection.of(adapter)).equal(upper)).isTrue();
        assertThat(logits(adapter, Selection.of(twin)).equal(upper)).isTrue();
        rule.afterUpdate(0, 1e-3);
        assertThat(logits(adapter, Selection.of(adapter)).equal(whole)).isTrue();
        assertThat(whole.equal(upper)).isFalse();
    }

    @Test
    void drawsAnotherNumberForEveryStep() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new AdapterDrop(WIDE, 1, false), 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(10, 5, 1e-3, 7));
        Tensor whole = logits(adapter, Selection.of(adapter));
        Set<Boolean> dropped = new HashSet<>();
        for (int step = 0; step < 12; step++) {
            rule.beforeStep(step);
            dropped.add(!logits(adapter, Selection.of(adapter)).equal(whole));
        }
        assertThat(dropped).containsExactlyInAnyOrder(true, false);
    }

    @Test
    void refusesWhatMakesNoSense() {
        Base base = Bases.load(Bases.LLAMA);
        assertThatThrownBy(() -> Adapter.create(base, new AdapterDrop(WIDE, 2, false), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("layers is 2");
        assertThatThrownBy(() -> new AdapterDrop(WIDE, 0, false)).hasMessageContaining("layers is 0");
        assertThatThrownBy(() -> new AdapterDrop(new Lora(LoraConfig.DEFAULT), 1, false))
                .hasMessageContaining("inside is lora");
    }
}
