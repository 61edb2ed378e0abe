package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class HiraTest extends MethodContract {
    private static final Hira FOUR = Hira.DEFAULT.withR(4).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * 4 * 64, true),
                new Case(Bases.LLAMA, FOUR, 4 * 2 * (64 + 48), true),
                new Case(
                        Bases.TIED,
                        FOUR.withTargets(TargetModules.names("embed_tokens", "q_proj")),
                        4 * (64 + 32) + 4 * 2 * 64,
                        true),
                new Case(
                        Bases.LLAMA,
                        new Hira(PatternValue.of(2), 0, TargetModules.DEFAULT, Hira.Init.GAUSSIAN),
                        2 * 2 * (64 + 48),
                        true),
                new Case(
                        Bases.LLAMA,
                        new Hira(PatternValue.of(2), 0, TargetModules.DEFAULT, Hira.Init.RANDOM),
                        2 * 2 * (64 + 48),
                        false));
    }

    @Test
    void dropsInputsInTraining() {
        Hira dropping = new Hira(PatternValue.of(4), 0.5, TargetModules.DEFAULT, Hira.Init.KAIMING);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), FOUR)).isLessThan(1e-5);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesARankOfZero() {
        assertThatThrownBy(() -> FOUR.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 0, expected at least 1");
    }
}
