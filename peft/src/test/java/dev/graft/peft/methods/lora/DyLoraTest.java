package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.TrainingRule;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class DyLoraTest extends MethodContract {
    private static final LoraConfig QUERY =
            LoraConfig.DEFAULT.withR(4).withAlpha(8).withTargets(TargetModules.names("q_proj"));
    private static final String Q0 = "model.layers.0.self_attn.q_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new DyLora(LoraConfig.DEFAULT.withR(4).withAlpha(8), 1, false), 4 * 960, true),
                new Case(Bases.LLAMA, new DyLora(QUERY, 2, false), 4 * 2 * 64, true));
    }

    private static Adapter moved(boolean newestOnly) {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new DyLora(QUERY, 1, newestOnly), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) -> value.copy_(Rng.of(2, key).normal(0, 0.3, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor logits(Adapter adapter, boolean training) {
        var hooks = Selection.of(adapter).hooks();
        return adapter.base()
                .logits(Bases.batch(), training ? ForwardPass.training(hooks) : ForwardPass.inference(hooks));
    }

    private static void setRank(Adapter adapter, double rank) {
        adapter.parameters().forEach((key, parameter) -> {
            if (key.endsWith(".lora_rank")) {
                parameter.value().fill_(new Scalar(rank));
            }
        });
    }

    @Test
    void aStepSeesTheFirstRanksAsTheAdapterCutToThemDoes() {
        Adapter adapter = moved(false);
        for (int rank = 1; rank <= 4; rank++) {
            setRank(adapter, rank);
            Tensor cut = logits(DyLora.truncated(adapter, rank), false);

            assertThat(Bases.difference(
                            logits(adapter, true), cut, Bases.batch().mask()))
                    .as("rank %d", rank)
                    .isLessThan(2e-5);
        }
        assertThat(Bases.difference(
                        logits(adapter, true),
                        logits(adapter, false),
                        Bases.batch().mask()))
                .isLessThan(2e-5);
    }

    @Test
    void onlyTheNewestRankGetsAGradientWhereAskedFor() {
        for (boolean newestOnly : new boolean[] {false, true}) {
            Adapter adapter = moved(newestOnly);
            setRank(adapter, 3);
            ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
            adapter.base().logits(Bases.batch(), pass).sum().backward();
            pass.backward();
            Tensor gradient = adapter.value(Q0 + ".lora_A.weight").grad();

            assertThat(Tensors.item(gradient.select(0, 2).abs().amax())).isPositive();
            assertThat(Tensors.item(gradient.select(0, 3).abs().amax())).isZero();
            assertThat(Tensors.item(gradient.select(0, 0).abs().amax()) == 0).isEqualTo(newestOnly);
        }
    }

    @Test
    void everyRankIsDrawnAndOnlyByTheSeedAndTheStep() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), new DyLora(QUERY, 2, false), 1);
        TrainingRule rule = adapter.method().trainingRule(adapter, new TrainingRule.Run(50, 50, 1, 9));
        Set<Double> drawn = new HashSet<>();
        for (long step = 0; step < 50; step++) {
            rule.beforeStep(step);
            drawn.add(Tensors.item(adapter.value(Q0 + ".lora_rank")));
        }
        rule.beforeStep(7);
        double again = Tensors.item(adapter.value(Q0 + ".lora_rank"));
        adapter.method()
                .trainingRule(adapter, new TrainingRule.Run(50, 50, 1, 9))
                .beforeStep(7);

        assertThat(drawn).containsExactlyInAnyOrder(2.0, 3.0, 4.0);
        assertThat(Tensors.item(adapter.value(Q0 + ".lora_rank"))).isEqualTo(again);
    }

    @Test
    void refusesRanksThatItDoesNotHave() {
        assertThatThrownBy(() -> new DyLora(QUERY, 5, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("dylora_min_rank is 5, expected 1 to r, which is 4");
        assertThatThrownBy(() -> DyLora.truncated(moved(false), 5))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("rank is 5, expected 1 to 4");
    }
}
