package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.junit.jupiter.api.Test;

class PTuningV2Test extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new PTuningV2(3, false), 3 * 2 * 2 * 32, false),
                new Case(Bases.LLAMA, new PTuningV2(3, false), 3 * 2 * 2 * 16, false),
                new Case(Bases.TIED, new PTuningV2(2, true), 2 * 2 * 2 * 32, false));
    }

    @Test
    void startsAtZeroWhereAsked() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new PTuningV2(3, true), 1);

        assertThat(Tensors.floats(adapter.trainable().get("prompt_embeddings"))).containsOnly(0f);
    }

    @Test
    void startsNearZero() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new PTuningV2(20, false), 1);

        assertThat(Tensors.item(adapter.value("prompt_embeddings").std())).isCloseTo(0.02, withinPercentage(10));
    }

    @Test
    void refusesNoTokensAtAll() {
        assertThatThrownBy(() -> new PTuningV2(0, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_virtual_tokens is 0");
    }
}
