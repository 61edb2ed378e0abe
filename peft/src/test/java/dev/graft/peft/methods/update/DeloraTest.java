package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.PatternValue;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class DeloraTest extends MethodContract {
    private static final Delora FOUR = Delora.DEFAULT.withR(4).withLambda(2).withTargets(TargetModules.DEFAULT);

    @Override
    protected List<Case> cases() {
        Delora patterns = new Delora(
                new PatternValue<>(4, Map.of("q_proj", 2)),
                new PatternValue<>(2.0, Map.of("v_proj", 1.0)),
                0,
                Bias.NONE,
                TargetModules.DEFAULT,
                false);
        return List.of(
                new Case(Bases.BERT, FOUR, 4 * (4 * 64 + 1), true),
                new Case(Bases.LLAMA, FOUR, 2 * (4 * (64 + 48) + 2), true),
                new Case(Bases.LLAMA, patterns, 2 * (2 * 64 + 4 * 48 + 2), false));
    }

    /** The sum of r terms λ / r · B_i A_i / (‖B_i‖ ‖A_i‖) has a norm of at most λ, before the columns take their weights. */
    @Test
    void boundsTheUpdateByLambdaHoweverLargeItsMatricesAre() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), FOUR, 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().forEach((key, value) -> {
                if (!key.endsWith("lambda")) {
                    value.copy_(Rng.of(1, key).normal(0, 1000, Tensors.shape(value)));
                }
            });
        }
        String name = "model.layers.0.self_attn.q_proj";
        Tensor change = Merge.merge(adapter)
                .parameters()
                .get(name + ".weight")
                .sub(adapter.base().parameters().get(name + ".weight"));
        Tensor unweighted =
                change.div(adapter.parameters().get(name + ".delora_w_norm").value());

        assertThat(Tensors.item(unweighted.norm())).isBetween(0.1, 2.001);
    }

    @Test
    void dropsInputsInTraining() {
        Delora dropping =
                new Delora(PatternValue.of(4), PatternValue.of(2.0), 0.5, Bias.NONE, TargetModules.DEFAULT, true);

        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), dropping)).isGreaterThan(1e-3);
    }

    @Test
    void refusesARankOfZero() {
        assertThatThrownBy(() -> FOUR.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessage("r is 0, expected at least 1");
    }
}
