package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Bases;
import dev.graft.peft.Effect;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class LoraTest extends MethodContract {
    @Override
    protected List<Case> cases() {
        LoraConfig four = LoraConfig.DEFAULT.withR(4).withAlpha(8);
        LoraConfig embedding = four.withTargets(TargetModules.names("embed_tokens", "q_proj"));
        return List.of(
                // Four matrices of 32 by 32, two of 64 by 32 in each of two layers, and the pooler.
                new Case(Bases.BERT, new Lora(four), 4 * (2 * (4 * 64 + 2 * 96) + 64), true),
                new Case(Bases.LLAMA, new Lora(four), 4 * 2 * (2 * 64 + 2 * 48 + 3 * 96), true),
                new Case(Bases.TIED, new Lora(embedding), 4 * (64 + 32) + 4 * 2 * 64, true),
                new Case(Bases.GPT2, new Lora(four), 4 * 2 * (32 + 96 + 64 + 2 * 96), true));
    }

    /** The formula draws the mask that the layer draws, and its gradients are those that autograd finds. */
    @Test
    void learnsWithDropoutAsAutogradDoes() {
        try (Scope scope = new Scope()) {
            Linear site = new Linear("layer", Role.UP, 0, random("w", 24, 32), null);
            LowRank update = new LowRank(random("a", 4, 32), random("b", 24, 4), null, 2, 0.5, null, site);
            Tensor x = random("x", 6, 32);
            Tensor gradient = random("g", 6, 24);
            Dropout.seed(1, 1, 0);
            update.a().requires_grad_(true);
            update.b().requires_grad_(true);
            x.requires_grad_(true);
            Tensor y = update.apply(x, ForwardPass.training(Hooks.NONE));
            y.mul(gradient).sum().backward();
            List<Tensor> expected = Stream.of(update.a(), update.b(), x)
                    .map(leaf -> leaf.grad().clone())
                    .toList();

            update.a().mutable_grad().zero_();
            update.b().mutable_grad().zero_();
            Effect.ManualGradientDelta formula = update.manualGradient();
            Tensor dx = Tensors.zeros(ScalarType.Float, 6, 32);
            try (NoGrad noGrad = new NoGrad()) {
                Dropout.seed(1, 1, 0);
                List<Tensor> results = formula.forward(x, null);
                assertThat(largest(results.get(0), y)).isLessThan(1e-6);
                // Others draw masks in between.
                Dropout.mask(ScalarType.Float, 0.5, 8);
                formula.backward(x, gradient, results.subList(1, results.size()), dx);
            }
            assertThat(largest(update.a().grad(), expected.get(0))).isLessThan(1e-5);
            assertThat(largest(update.b().grad(), expected.get(1))).isLessThan(1e-5);
            assertThat(largest(dx, expected.get(2))).isLessThan(1e-5);
        }
    }

    private static double largest(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    private static Tensor random(String name, long... shape) {
        return Rng.of(5, name).normal(0, 1, shape);
    }
}
