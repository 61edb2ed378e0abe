package dev.graft.peft.methods.reft;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class NoReftTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        NoReft first = new NoReft(NoReft.DEFAULT.config().withR(3).withFirst(2).withDropout(0));
        NoReft both = new NoReft(NoReft.DEFAULT
                .config()
                .with(b -> b.r(2).first(2)
                        .last(2)
                        .tied(true)
                        .layers(List.of(1))
                        .activation("relu")
                        .dropout(0)));
        return List.of(
                new Case(Bases.BERT, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.BERT, both, 2 * 2 * 32 + 2, false),
                new Case(Bases.LLAMA, first, 2 * 2 * (2 * 3 * 32 + 3), false),
                new Case(Bases.TIED, both, 2 * 2 * 32 + 2, false));
    }

    @Test
    void refusesSettingsThatAreLoReft() {
        assertThatThrownBy(() -> new NoReft(LoReft.DEFAULT.config()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("which isn't noreft");
    }
}
