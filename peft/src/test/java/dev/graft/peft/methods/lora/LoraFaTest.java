package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.peft.methods.lora.LoraFa.Projection;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class LoraFaTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @Override
    protected List<Case> cases() {
        LoraConfig gaussian = FOUR.withInit(LoraInits.of("gaussian"));
        return List.of(
                new Case(Bases.BERT, new LoraFa(FOUR, Projection.FP32), 4 * (2 * (5 * 32 + 64) + 32), true),
                new Case(
                        Bases.LLAMA,
                        new LoraFa(gaussian, Projection.NONE),
                        4 * 2 * (2 * 32 + 2 * 16 + 2 * 64 + 32),
                        true));
    }

    /** No other change of B moves s · B A nearer to the gradient of the whole weight. */
    @Test
    void theProjectedGradientIsTheNearestToThatOfTheWeight() {
        Adapter adapter = Adapter.create(
                Bases.load(Bases.LLAMA, Numerics.FP64), new LoraFa(FOUR.withR(3).withAlpha(6), Projection.FP32), 1);
        String module = "model.layers.0.self_attn.q_proj";
        Tensor whole = Ops.to(Rng.of(1, "gradient").normal(0, 1, 32, 32), Numerics.FP64.small());
        Tensor a = adapter.parameters().get(module + ".lora_A.weight").value();
        adapter.trainable()
                .forEach((key, value) -> value.mutable_grad().put(value.detach().clone()));
        Tensor gradient = adapter.trainable().get(module + ".lora_B.weight").grad();
        gradient.copy_(Ops.scale(whole.matmul(a.t()), 2));

        adapter.method().trainingRule(adapter, new TrainingRule.Run(1, 1, 1, 1)).beforeUpdate(0);

        Tensor left = Ops.scale(gradient.matmul(a), 2).sub(whole);
        // What is left is orthogonal to everything that a change of B can do.
        assertThat(Tensors.item(left.matmul(a.t()).abs().amax())).isCloseTo(0, offset(1e-6));
        adapter.trainable().values().forEach(value -> value.mutable_grad().reset());
    }

    @Test
    void withoutTheProjectionGradientsStay() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new LoraFa(FOUR, Projection.NONE), 1);

        assertThat(adapter.method().trainingRule(adapter, new TrainingRule.Run(1, 1, 1, 1)))
                .isSameAs(TrainingRule.NONE);
    }

    @Test
    void refusesWhatItCannotTrain() {
        assertThatThrownBy(() -> new LoraFa(FOUR.withInit(LoraInits.of("pissa")), Projection.FP32))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_lora_weights is pissa");
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA),
                        new LoraFa(FOUR.withTargets(TargetModules.names("embed_tokens")), Projection.FP32),
                        1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.embed_tokens is not a linear layer");
    }
}
