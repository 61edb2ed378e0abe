package dev.graft.peft.methods.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterHubPrefixTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        AdapterHubPrefix network =
                AdapterHubPrefix.DEFAULT.with().tokens(3).inside(8).build();
        AdapterHubPrefix gated = AdapterHubPrefix.DEFAULT
                .with()
                .tokens(2)
                .flat(true)
                .inside(8)
                .gated(true)
                .build();
        AdapterHubPrefix two = AdapterHubPrefix.DEFAULT
                .with()
                .tokens(2)
                .inside(8)
                .activation("relu")
                .gated(true)
                .sharedGate(false)
                .leaveOut(List.of(1))
                .build();
        return List.of(
                new Case(Bases.BERT, network, 3 * 32 + 8 * 33 + 128 * 9, false),
                new Case(Bases.BERT, gated, 2 * 128 + 2 * 33, false),
                new Case(Bases.BERT, two, 2 * 32 + 8 * 33 + 64 * 9 + 66, false),
                new Case(Bases.LLAMA, network, 3 * 32 + 8 * 33 + 64 * 9, false),
                new Case(Bases.TIED, gated, 2 * 128 + 2 * 33, false));
    }

    @Test
    void dropsInTrainingAlone() {
        assertThat(effectOfDropout(
                        Bases.load(Bases.BERT),
                        AdapterHubPrefix.DEFAULT
                                .with()
                                .tokens(3)
                                .flat(true)
                                .inside(8)
                                .dropout(0.5)
                                .build()))
                .isGreaterThan(1e-3);
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> AdapterHubPrefix.DEFAULT
                        .with()
                        .tokens(0)
                        .flat(true)
                        .inside(8)
                        .build())
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prefix_length is 0");
        assertThatThrownBy(() ->
                        AdapterHubPrefix.DEFAULT.with().tokens(1).inside(0).build())
                .hasMessageContaining("bottleneck_size is 0");
    }
}
