package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import java.util.List;
import org.junit.jupiter.api.Test;

class PeanutTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        Peanut flat = Peanut.DEFAULT.withR(4).withDepth(0);
        Peanut deep = new Peanut(3, 2, 0.5, "silu", TargetModules.DEFAULT, false);
        return List.of(
                new Case(Bases.BERT, flat, 2 * 4 * (2 * (4 * 32 + 64 + 32) + 32), true),
                new Case(Bases.LLAMA, deep, 2 * (2 * 3 * (32 + 16) + 2 * 4 * 9), false));
    }

    @Test
    void refusesWhatIsNoNetwork() {
        assertThatThrownBy(() -> Peanut.DEFAULT.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 0");
        assertThatThrownBy(() -> Peanut.DEFAULT.withDepth(-1)).hasMessageContaining("depth is -1");
        Peanut odd = new Peanut(4, 0, 1, "sine", TargetModules.ALL_LINEAR, true);
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), odd, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sine");
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.BERT), Peanut.DEFAULT.withTargets(TargetModules.names("word_embeddings")), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("PEANuT");
    }
}
