package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Init;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Norms;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Residual;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Scaling;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PfeifferTest extends MethodContract {
    private static final BottleneckConfig CONFIG = BottleneckConfig.DEFAULT;

    private static long place(long m) {
        return 2 * 32 * m + m + 32;
    }

    @Override
    protected List<Case> cases() {
        BottleneckConfig both = CONFIG.withAttention(true)
                .withReduction(8)
                .withReductions(Map.of(1, 4.0))
                .withActivation("gelu")
                .withScaling(Scaling.of(0.5));
        Pfeiffer half = new Pfeiffer(both).startingAtZero();
        Pfeiffer large =
                new Pfeiffer(CONFIG.withReduction(0.5).withActivation("tanh").withScaling(Scaling.of(4)));
        Pfeiffer last = new Pfeiffer(CONFIG.with(b -> b.attention(true).feedForward(false))
                        .withReduction(1000)
                        .withActivation("swish")
                        .withLeaveOut(List.of(0)))
                .startingAtZero();
        Norms own = Norms.USUAL
                .withResidual(Residual.SUM)
                .withOwnBefore(true)
                .withOwnAfter(true)
                .withResidualInside(true);
        Pfeiffer normed = new Pfeiffer(CONFIG.withReduction(8)
                .withActivation("leakyrelu")
                .withNorms(own)
                .withGated(true)
                .withInit(Init.HOULSBY));
        return List.of(
                new Case(Bases.BERT, large, 2 * place(64), false),
                new Case(Bases.BERT, half, 2 * place(4) + 2 * place(8), true),
                new Case(Bases.BERT, normed, 2 * (place(4) + 4 * 32 + 33), false),
                new Case(Bases.LLAMA, half, 2 * place(4) + 2 * place(8), true),
                new Case(Bases.TIED, Pfeiffer.DEFAULT.withReduction(8).startingAtZero(), 2 * place(4), true),
                new Case(Bases.LLAMA, large, 2 * place(64), false),
                new Case(Bases.LLAMA, last, place(1), true));
    }

    @Test
    void refusesToLeaveOutEveryLayer() {
        Pfeiffer none = new Pfeiffer(CONFIG.withLeaveOut(List.of(0, 1)));

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), none, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("leave_out has every layer");
    }

    @Test
    void refusesLayersThatTheBaseLacks() {
        Pfeiffer fifth = new Pfeiffer(CONFIG.withReductions(Map.of(5, 2.0)));

        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), fifth, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("layer 5")
                .hasMessageContaining("2 layers");
    }

    @Test
    void refusesSettingsThatMakeNoSense() {
        assertThatThrownBy(() -> CONFIG.withReduction(0)).hasMessageContaining("reduction_factor is 0.0");
        assertThatThrownBy(() -> CONFIG.withFeedForward(false)).hasMessageContaining("both false");
        assertThatThrownBy(() -> CONFIG.withActivation("sine")).hasMessageContaining("\"sine\"");
        assertThatThrownBy(() -> CONFIG.withDropout(1)).hasMessageContaining("dropout is 1.0");
        assertThatThrownBy(() -> CONFIG.withStochasticDepth(-1)).hasMessageContaining("stochastic_depth is -1.0");
        assertThatThrownBy(() -> CONFIG.withScaling(Scaling.of(Double.NaN))).hasMessageContaining("scaling is NaN");
    }

    @Test
    void refusesSettingsOfAnotherMethodOfTheFamily() {
        assertThatThrownBy(() -> new Pfeiffer(Parallel.DEFAULT.config()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is_parallel")
                .hasMessageContaining("those of parallel, expected those of pfeiffer");
    }

    @Test
    void dropsInTrainingAlone() {
        Pfeiffer half = new Pfeiffer(CONFIG.withReduction(8).withDropout(0.5));
        Pfeiffer none = Pfeiffer.DEFAULT.withReduction(8);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), half)).isGreaterThan(1e-2);
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), none)).isLessThan(1e-5);
    }

    /** As Python's 40 // 0.4 and so on. */
    @Test
    void aFractionOfAWidthIsPythonsWholeQuotient() {
        assertThat(BottleneckWidth.of(40, 0.4)).isEqualTo(99);
        assertThat(BottleneckWidth.of(48, 0.4)).isEqualTo(119);
        assertThat(BottleneckWidth.of(40, 0.5)).isEqualTo(80);
        assertThat(BottleneckWidth.of(384, 16)).isEqualTo(24);
        assertThat(BottleneckWidth.of(100, 16)).isEqualTo(6);
        assertThat(BottleneckWidth.of(24, 0.1)).isEqualTo(239);
    }
}
