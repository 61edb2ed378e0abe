package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WaveFtTest extends MethodContract {
    private static final WaveFt SOME = WaveFt.DEFAULT.withFrequencies(64).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, SOME, 4 * 64, true),
                new Case(Bases.LLAMA, SOME.withWavelet("db2"), 4 * 64, true),
                // 64 for each of four layers, two of which are twice as large as the others
                new Case(Bases.LLAMA, proportional(), 2 * (85 + 43), true),
                new Case(
                        Bases.TIED,
                        new WaveFt(
                                PatternValue.of(9),
                                false,
                                10,
                                "coif3",
                                true,
                                1,
                                TargetModules.DEFAULT,
                                Bias.NONE,
                                false),
                        4 * 9,
                        false),
                new Case(
                        Bases.TIED,
                        new WaveFt(
                                PatternValue.of(9), false, 10, "db1", false, 1, TargetModules.DEFAULT, Bias.NONE, true),
                        4 * 9,
                        true));
    }

    private static WaveFt proportional() {
        return new WaveFt(PatternValue.of(64), true, 10, "db1", true, 777, TargetModules.DEFAULT, Bias.NONE, true);
    }

    /** With an orthogonal wavelet an inverse transform that loses nothing keeps the length of what it transforms. */
    @ParameterizedTest
    @CsvSource({"db1", "db2", "db3", "db10", "sym2", "sym5", "sym10", "coif1", "coif2", "coif3"})
    void waveletsAreOrthogonal(String name) {
        Wavelet wavelet = Wavelet.named(name);
        long margin = wavelet.low().length;
        Tensor inner = Rng.of(1, name).normal(0, 1, 6, 6);
        Tensor coefficients = Tensors.zeros(inner.scalar_type(), 4 * margin + 12, 4 * margin + 12);
        // In the middle of each quarter, where nothing is cut off.
        for (int row = 0; row < 2; row++) {
            for (int column = 0; column < 2; column++) {
                coefficients
                        .narrow(0, margin + row * (2 * margin + 6), 6)
                        .narrow(1, margin + column * (2 * margin + 6), 6)
                        .copy_(inner);
            }
        }

        double before = Tensors.item(coefficients.norm());
        assertThat(Tensors.item(wavelet.inverse(coefficients).norm())).isCloseTo(before, within(1e-4 * before));
    }

    @Test
    void refusesWaveletsThatPeftHasNoFiltersFor() {
        assertThatThrownBy(() -> WaveFt.DEFAULT.withWavelet("coif4"))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("wavelet_family is \"coif4\"")
                .hasMessageContaining("db10")
                .hasMessageContaining("not orthogonal");
    }

    @Test
    void refusesAPatternBesideProportions() {
        PatternValue<Integer> pattern = new PatternValue<>(64, Map.of("q_proj", 3));

        assertThatThrownBy(
                        () -> new WaveFt(pattern, true, 10, "db1", true, 777, TargetModules.DEFAULT, Bias.NONE, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("n_frequency_pattern")
                .hasMessageContaining("proportional_parameters");
    }
}
