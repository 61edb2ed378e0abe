package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.inits.LoraInit;
import java.util.List;
import org.junit.jupiter.api.Test;

class KasaTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withRank(4, 8);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.LLAMA, new Kasa(FOUR, 1e-4, 1e-3), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96) + 2 * 7 * 4, false),
                new Case(Bases.BERT, new Kasa(FOUR, 0, 0), 4 * (2 * (4 * 64 + 2 * 96) + 64) + 13 * 4, false));
    }

    @Test
    void refusesARankThatLeavesNothingOfTheWeight() {
        assertThatThrownBy(() ->
                        Adapter.create(Bases.load(Bases.LLAMA), new Kasa(LoraConfig.DEFAULT.withRank(16, 16), 0, 0), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("KaSA keeps all but r singular values");
        assertThatThrownBy(() ->
                        Adapter.create(Bases.load(Bases.LLAMA), new Kasa(FOUR.withInit(LoraInit.of("pissa")), 0, 0), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa");
    }
}
