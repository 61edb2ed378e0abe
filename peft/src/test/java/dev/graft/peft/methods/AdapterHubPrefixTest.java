package dev.graft.peft.methods;

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
        AdapterHubPrefix network = new AdapterHubPrefix(3, false, 8, "tanh", 0, false, true, List.of());
        AdapterHubPrefix gated = new AdapterHubPrefix(2, true, 8, "tanh", 0, true, true, List.of());
        AdapterHubPrefix two = new AdapterHubPrefix(2, false, 8, "relu", 0, true, false, List.of(1));
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
                        Bases.load(Bases.BERT), new AdapterHubPrefix(3, true, 8, "tanh", 0.5, false, true, List.of())))
                .isGreaterThan(1e-3);
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> new AdapterHubPrefix(0, true, 8, "tanh", 0, false, true, List.of()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("prefix_length is 0");
        assertThatThrownBy(() -> new AdapterHubPrefix(1, false, 0, "tanh", 0, false, true, List.of()))
                .hasMessageContaining("bottleneck_size is 0");
    }
}
