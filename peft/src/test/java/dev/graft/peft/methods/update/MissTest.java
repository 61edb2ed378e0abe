package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class MissTest extends MethodContract {
    private static Miss of(int r, int miniR, Miss.Mode mode) {
        return new Miss(r, miniR, 0, mode, Bias.NONE, TargetModules.DEFAULT);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, of(8, 1, Miss.Mode.SHARED), 4 * 8 * 32, true),
                // Five doesn't divide 32.
                new Case(Bases.LLAMA, of(5, 1, Miss.Mode.SHARED), 2 * 5 * (32 + 16), true),
                new Case(Bases.LLAMA, of(8, 1, Miss.Mode.BAT), 2 * 8 * (32 + 16), true),
                new Case(Bases.LLAMA, of(8, 4, Miss.Mode.MINI), 4 * 8 * 4, true),
                new Case(Bases.LLAMA, of(8, 1, Miss.Mode.RANDOM), 2 * 8 * (32 + 16), false));
    }

    @Test
    void dropsInputsInTraining() {
        Miss dropping = new Miss(8, 1, 0.5, Miss.Mode.SHARED, Bias.NONE, TargetModules.DEFAULT);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesDropoutWhereNothingCanBeDropped() {
        Miss dropping = new Miss(8, 1, 0.5, Miss.Mode.BAT, Bias.NONE, TargetModules.DEFAULT);

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), dropping, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("miss_dropout is 0.5, expected 0 with init_weights \"bat\"");
    }

    @Test
    void refusesSizesThatDoNotFitTheLayers() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), of(33, 1, Miss.Mode.SHARED), 1))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 33, expected at most 32, the inputs of model.layers.0.self_attn.q_proj [32, 32]");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), of(5, 1, Miss.Mode.BAT), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 5, expected a divisor of both sizes");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), of(8, 3, Miss.Mode.MINI), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("mini_r is 3, expected a divisor of the outputs");
        assertThatThrownBy(() -> of(0, 1, Miss.Mode.SHARED)).hasMessage("r is 0, expected at least 1");
        assertThatThrownBy(() -> of(1, 0, Miss.Mode.MINI)).hasMessage("mini_r is 0, expected at least 1");
    }
}
