package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class KasaTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.LLAMA, new Kasa(FOUR, 1e-4, 1e-3), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96) + 2 * 7 * 4, false),
                new Case(Bases.BERT, new Kasa(FOUR, 0, 0), 4 * (2 * (4 * 64 + 2 * 96) + 64) + 13 * 4, false));
    }

    /** {@code β ‖d‖² + γ (‖Bᵀ B - I‖ + ‖A Aᵀ - I‖)}, by hand for factors whose products are known. */
    @Test
    void asksForSmallValuesAndOrthogonalFactors() {
        Adapter adapter = Adapter.create(
                Bases.load(Bases.LLAMA),
                new Kasa(FOUR.withTargets(TargetModules.regex(".*0\\.self_attn\\.q_proj")), 0.5, 0.25),
                1);
        String module = "model.layers.0.self_attn.q_proj.";
        try (NoGrad noGrad = new NoGrad()) {
            adapter.value(module + "lora_diag").fill_(new Scalar(2.0));
            adapter.value(module + "lora_B.weight").zero_();
            adapter.value(module + "lora_A.weight").zero_();
            for (int i = 0; i < 4; i++) {
                adapter.value(module + "lora_A.weight")
                        .select(0, i)
                        .select(0, i)
                        .fill_(new Scalar(2.0));
            }
        }
        Tensor penalty = adapter.method()
                .trainingRule(adapter, new TrainingRule.Run(1, 1, 1e-3, 1))
                .penalty();

        // ‖d‖² = 16, ‖0 - I‖ = 2, ‖4 I - I‖ = 6.
        assertThat(penalty).isNotNull();
        assertThat(Tensors.item(penalty)).isCloseTo(0.5 * 16 + 0.25 * (2 + 6), within(1e-5));
    }

    @Test
    void refusesARankThatLeavesNothingOfTheWeight() {
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA),
                        new Kasa(LoraConfig.DEFAULT.withR(16).withAlpha(16), 0, 0),
                        1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("KaSA keeps all but r singular values");
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA), new Kasa(FOUR.withInit(LoraInits.of("pissa")), 0, 0), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa");
    }
}
