package dev.graft.peft.methods.orthogonal;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class HraTest extends MethodContract {
    private static final Hra FOUR = Hra.DEFAULT.withR(4).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * 4 * 32, true),
                new Case(Bases.LLAMA, FOUR, 4 * 4 * 32, true),
                new Case(Bases.LLAMA, new Hra(3, true, TargetModules.DEFAULT, Bias.NONE, true), 4 * 3 * 32, false),
                new Case(Bases.TIED, new Hra(3, false, TargetModules.DEFAULT, Bias.NONE, false), 4 * 3 * 32, false));
    }

    @Test
    void refusesAnOddNumberOfReflectionsThatShouldCancel() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), FOUR.withR(3), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 3, expected an even number")
                .hasMessageContaining("init_weights");
    }
}
