package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterHubPromptTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new AdapterHubPrompt(3, null), 3 * 32, false),
                new Case(Bases.BERT, new AdapterHubPrompt(1, null), 32, false));
    }

    @Test
    void refusesCausalModels() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), AdapterHubPrompt.DEFAULT, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use prompt-tuning");
        assertThatThrownBy(() -> new AdapterHubPrompt(0, null)).hasMessageContaining("prompt_length is 0");
    }
}
