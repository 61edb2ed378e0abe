package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.update.Glora.Form;
import java.util.List;
import org.junit.jupiter.api.Test;

class GloraTest extends MethodContract {
    private static Glora of(Form weights, Form coupling, Form biases, TargetModules targets, boolean startAtZero) {
        return new Glora(3, weights, coupling, biases, Bias.NONE, targets, startAtZero);
    }

    @Override
    protected List<Case> cases() {
        Glora low = of(Form.LORA, Form.LORA, Form.CONSTANT, TargetModules.ALL_LINEAR, true);
        Glora vectors = of(Form.VECTOR, Form.VECTOR, Form.VECTOR, TargetModules.names("query"), false);
        return List.of(
                new Case(
                        Bases.BERT,
                        low,
                        2 * 3 * (2 * (4 * 64 + 2 * 96) + 64) + 3 * (2 * (5 * 33 + 65) + 33) + 2 * (2 * 6 + 1),
                        true),
                new Case(Bases.BERT, vectors, 2 * (2 * 32 + 32 + 2 * 32), false),
                new Case(Bases.LLAMA, low.withTargets(TargetModules.DEFAULT), 2 * 2 * 3 * (64 + 48), true),
                new Case(
                        Bases.LLAMA,
                        of(Form.CONSTANT, Form.NONE, Form.NONE, TargetModules.names("q_proj"), true),
                        2 * 2,
                        true));
    }

    @Test
    void refusesFormsThatAreNone() {
        assertThatThrownBy(() -> of(Form.LORA, Form.CONSTANT, Form.NONE, TargetModules.DEFAULT, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("config_C");
        assertThatThrownBy(() -> of(Form.LORA, Form.NONE, Form.LORA, TargetModules.DEFAULT, true))
                .hasMessageContaining("config_D_E");
    }
}
