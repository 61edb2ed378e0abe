package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class MosLoraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);
    private static final String QUERY = "model.layers.0.self_attn.q_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new MosLora(FOUR), 4 * (2 * (4 * 64 + 2 * 96) + 64) + 13 * 16, true),
                new Case(
                        Bases.LLAMA,
                        new MosLora(FOUR.withTargets(TargetModules.DEFAULT)),
                        4 * 2 * (64 + 48) + 4 * 16,
                        true),
                new Case(
                        Bases.TIED,
                        new MosLora(FOUR.withR(2)
                                .withInit(LoraInits.of("gaussian"))
                                .withTargets(TargetModules.names("q_proj"))),
                        2 * 2 * 64 + 2 * 4,
                        true));
    }

    /** A mixer that only swaps two directions is LoRA with two rows of A swapped. */
    @Test
    void theMixerJoinsDirectionsOfAWithOthersOfB() {
        LoraConfig config = FOUR.withR(2).withTargets(TargetModules.names(QUERY));
        Adapter mixed = Adapter.create(Bases.load(Bases.LLAMA), new MosLora(config), 1);
        Adapter plain = Adapter.create(Bases.load(Bases.LLAMA), new Lora(config), 2);
        try (NoGrad noGrad = new NoGrad()) {
            Tensor a = mixed.value(QUERY + ".lora_A.weight");
            Tensor b = mixed.value(QUERY + ".lora_B.weight").fill_(new Scalar(0.5));
            b.select(1, 1).fill_(new Scalar(-2.0));
            mixed.value(QUERY + ".lora_AB.weight").copy_(torch.eye(2).flip(0));
            plain.value(QUERY + ".lora_A.weight").copy_(a.flip(0));
            plain.value(QUERY + ".lora_B.weight").copy_(b);
            assertThat(weight(mixed)).containsExactly(weight(plain), within(1e-6));
        }
    }

    private static double[] weight(Adapter adapter) {
        return Merge.merge(adapter).sites().stream()
                .filter(site -> site.name().equals(QUERY))
                .map(site -> Tensors.doubles(((Linear) site).weight()))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void refusesStartsThatTakeAPartOffTheBase() {
        assertThatThrownBy(() ->
                        Adapter.create(Bases.load(Bases.LLAMA), new MosLora(FOUR.withInit(LoraInits.of("pissa"))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa")
                .hasMessageContaining("expected true, gaussian or orthogonal");
    }
}
