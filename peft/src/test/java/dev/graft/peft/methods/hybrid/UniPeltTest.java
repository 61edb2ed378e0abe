package dev.graft.peft.methods.hybrid;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.Pfeiffer;
import dev.graft.peft.methods.prompt.AdapterHubPrefix;
import java.util.List;
import org.junit.jupiter.api.Test;

class UniPeltTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        UniPelt small = new UniPelt(
                AdapterHubPrefix.DEFAULT
                        .with()
                        .tokens(2)
                        .flat(true)
                        .inside(8)
                        .gated(true)
                        .build(),
                new Pfeiffer(UniPelt.DEFAULT.adapter().config().withReduction(8)),
                UniPelt.DEFAULT.lora());
        long adapter = 2 * 32 * 4 + 4 + 32 + 33;
        long bert = 2 * 128 + 2 * 33 + 2 * adapter + 4 * (8 * 64 + 33);
        long llama = 2 * 64 + 2 * 33 + 2 * adapter + 2 * (8 * 64 + 33) + 2 * (8 * 48 + 33);
        return List.of(new Case(Bases.BERT, small, bert, false), new Case(Bases.LLAMA, small, llama, false));
    }

    @Test
    void refusesPartsWithoutAGate() {
        assertThatThrownBy(() -> new UniPelt(UniPelt.DEFAULT.prefix(), Pfeiffer.DEFAULT, UniPelt.DEFAULT.lora()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use_gating");
    }
}
