package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdaptionPromptTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.LLAMA, new AdaptionPrompt(3, null, null), 2 * (3 * 32 + 1), true),
                new Case(Bases.BERT, new AdaptionPrompt(3, 2, null), 2 * (3 * 32 + 1), true),
                new Case(Bases.TIED, new AdaptionPrompt(3, 1, "self_attn"), 3 * 32 + 1, true));
    }

    @Test
    void takesTheUpperLayers() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new AdaptionPrompt(3, 1, null), 1);

        assertThat(adapter.parameters().keySet())
                .containsExactlyInAnyOrder(
                        "model.layers.1.self_attn.adaption_prompt", "model.layers.1.self_attn.adaption_gate");
    }

    @Test
    void refusesMoreLayersThanThereAreAndNamesThatAreNone() {
        Base base = Bases.load(Bases.LLAMA);

        assertThatThrownBy(() -> Adapter.create(base, new AdaptionPrompt(3, 3, null), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("adapter_layers is 3, but llama-gqa has only 2");
        assertThatThrownBy(() -> Adapter.create(base, new AdaptionPrompt(3, 1, "attn"), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("target_modules is \"attn\"");
        assertThatThrownBy(() -> new AdaptionPrompt(0, 1, null)).hasMessageContaining("adapter_len is 0");
        assertThatThrownBy(() -> new AdaptionPrompt(3, 0, null)).hasMessageContaining("adapter_layers is 0");
    }
}
