package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PfeifferTest extends MethodContract {
    private static long place(long m) {
        return 2 * 32 * m + m + 32;
    }

    @Override
    protected List<Case> cases() {
        Pfeiffer both = new Pfeiffer(true, true, 8, Map.of(1, 4.0), "gelu", 0.5, 0, List.of(), false).startingAtZero();
        Pfeiffer large = new Pfeiffer(false, true, 0.5, Map.of(), "tanh", 4, 0, List.of(), false);
        Pfeiffer last = new Pfeiffer(true, false, 1000, Map.of(), "swish", 1, 0, List.of(0), true);
        return List.of(
                new Case(Bases.BERT, large, 2 * place(64), false),
                new Case(Bases.BERT, both, 2 * place(4) + 2 * place(8), true),
                new Case(Bases.LLAMA, both, 2 * place(4) + 2 * place(8), true),
                new Case(Bases.TIED, Pfeiffer.DEFAULT.withReduction(8).startingAtZero(), 2 * place(4), true),
                new Case(Bases.LLAMA, large, 2 * place(64), false),
                new Case(Bases.LLAMA, last, place(1), true));
    }

    @Test
    void refusesToLeaveOutEveryLayer() {
        Pfeiffer none = new Pfeiffer(false, true, 16, Map.of(), "relu", 1, 0, List.of(0, 1), false);

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), none, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("leave_out has every layer");
    }

    @Test
    void refusesLayersThatTheBaseLacks() {
        Pfeiffer fifth = new Pfeiffer(false, true, 16, Map.of(5, 2.0), "relu", 1, 0, List.of(), false);

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), fifth, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("layer 5")
                .hasMessageContaining("2 layers");
    }

    @Test
    void refusesSettingsThatMakeNoSense() {
        assertThatThrownBy(() -> Pfeiffer.DEFAULT.withReduction(0)).hasMessageContaining("reduction_factor is 0.0");
        assertThatThrownBy(() -> new Pfeiffer(false, false, 16, Map.of(), "relu", 1, 0, List.of(), false))
                .hasMessageContaining("both false");
        assertThatThrownBy(() -> new Pfeiffer(false, true, 16, Map.of(), "sine", 1, 0, List.of(), false))
                .hasMessageContaining("\"sine\"");
        assertThatThrownBy(() -> new Pfeiffer(false, true, 16, Map.of(), "relu", 1, 1, List.of(), false))
                .hasMessageContaining("dropout is 1.0");
    }

    @Test
    void dropsInTrainingAlone() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), withDropout(0.5))).isGreaterThan(1e-2);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), withDropout(0))).isLessThan(1e-5);
    }

    private static Pfeiffer withDropout(double p) {
        return new Pfeiffer(false, true, 8, Map.of(), "relu", 1, p, List.of(), false);
    }
}
