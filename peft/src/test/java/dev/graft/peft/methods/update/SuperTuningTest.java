package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class SuperTuningTest extends MethodContract {
    private static SuperTuning of(
            double sparsity, boolean largest, Integer r, boolean startAtZero, boolean savesIndices) {
        return new SuperTuning(sparsity, largest, r, null, 0, TargetModules.DEFAULT, startAtZero, savesIndices);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, SuperTuning.DEFAULT.withSparsity(0.95), 2 * (4 * 51 + 102 + 102) + 51, true),
                new Case(Bases.LLAMA, of(0.9, false, 2, true, true), 2 * (102 + 51) + 2 * 2 * (64 + 48), true),
                new Case(Bases.LLAMA, of(0.9, true, 2, false, false), 2 * (102 + 51) + 2 * 2 * (64 + 48), false));
    }

    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    @Test
    void choosesTheEntriesAtTheEndThatItIsToldTo() {
        for (boolean largest : new boolean[] {true, false}) {
            Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(0.9, largest, null, true, true), 1);
            Linear site = (Linear) adapter.sites().get(0);
            Tensor magnitudes = site.weight().abs().flatten();
            double[] chosen =
                    Tensors.doubles(magnitudes.index_select(0, adapter.value(site.name() + ".supertuning_indices")));
            double[] sorted = Tensors.doubles(magnitudes);
            Arrays.sort(sorted);
            double[] expected = new double[chosen.length];
            for (int i = 0; i < expected.length; i++) {
                expected[i] = sorted[largest ? sorted.length - 1 - i : i];
            }
            assertThat(chosen).isEqualTo(expected);
        }
    }

    @Test
    void dropsInputsOfTheLowRankPartInTraining() {
        SuperTuning dropping = new SuperTuning(0.9, true, 2, null, 0.5, TargetModules.DEFAULT, false, true);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-4);
    }

    @Test
    void refusesWhatHasNoMeaning() {
        assertThatThrownBy(() -> SuperTuning.DEFAULT.withSparsity(1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sparsity is 1.0");
        assertThatThrownBy(() -> of(0.9, true, 0, true, true)).hasMessageContaining("r is 0");
        assertThatThrownBy(() -> new SuperTuning(0.9, true, null, 4.0, 0, TargetModules.DEFAULT, true, true))
                .hasMessageContaining("lora_alpha is 4.0");
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), of(0.9999, true, null, true, true), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sparsity 0.9999");
    }
}
