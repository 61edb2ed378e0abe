package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.prompt.PTuningV2.Init;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PTuningV2Test extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new PTuningV2(3, Init.SMALL), 3 * 2 * 2 * 32, false),
                new Case(Bases.LLAMA, new PTuningV2(3, Init.SMALL), 3 * 2 * 2 * 16, false),
                new Case(Bases.TIED, new PTuningV2(2, Init.ZERO), 2 * 2 * 2 * 32, false));
    }

    @Test
    void startsAtZeroWhereAsked() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new PTuningV2(3, Init.ZERO), 1);

        assertThat(Tensors.floats(adapter.trainable().get("prompt_embeddings"))).containsOnly(0f);
    }

    @ParameterizedTest
    @CsvSource({"NORMAL, 1", "SMALL, 0.02"})
    void startsAsFarFromZeroAsItSays(Init init, double deviation) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new PTuningV2(20, init), 1);

        assertThat(Tensors.item(adapter.value("prompt_embeddings").std())).isCloseTo(deviation, withinPercentage(10));
    }

    @Test
    void refusesNoTokensAtAll() {
        assertThatThrownBy(() -> new PTuningV2(0, Init.SMALL))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("num_virtual_tokens is 0");
    }
}
