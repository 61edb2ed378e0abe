package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class DiReftTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        DiReft first = new DiReft(3, 2, 0, false, null, 0);
        DiReft both = new DiReft(new ReftConfig(2, 2, 2, true, List.of(1), false, false, "relu", 0));
        return List.of(
                new Case(Bases.BERT, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.BERT, both, 2 * 2 * 32 + 2, false),
                new Case(Bases.LLAMA, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.TIED, both, 2 * 2 * 32 + 2, false));
    }

    @Test
    void refusesSettingsThatAreLoReft() {
        assertThatThrownBy(() -> new DiReft(LoReft.DEFAULT.config()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("which isn't direft");
    }
}
