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

class GraloraTest extends MethodContract {
    private static final Gralora FOUR = Gralora.DEFAULT.withR(4).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * 4 * 64, true),
                new Case(Bases.LLAMA, FOUR.withHybridR(2).withK(4), 2 * 6 * (64 + 48), true),
                new Case(
                        Bases.LLAMA,
                        new Gralora(4, 1, 2, 2, 0, Bias.NONE, TargetModules.DEFAULT, false),
                        2 * 5 * (64 + 48),
                        false));
    }

    @Test
    void dropsInputsInTraining() {
        Gralora dropping = new Gralora(4, 0, 2, 8, 0.5, Bias.NONE, TargetModules.DEFAULT, true);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesBlocksThatDoNotFit() {
        assertThatThrownBy(() -> FOUR.withR(3))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 3, expected a multiple of gralora_k, which is 2");
        assertThatThrownBy(() -> FOUR.withHybridR(-1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("hybrid_r -1");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), FOUR.with(b -> b.r(3).k(3)), 1))
                .isInstanceOf(InputException.class)
                .hasMessage(
                        "gralora_k is 3, expected a divisor of both sizes of model.layers.0.self_attn.q_proj [32, 32]");
    }
}
