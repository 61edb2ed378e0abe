package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TrainingRule;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class MonteCLoraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);
    private static final TrainingRule.Run RUN = new TrainingRule.Run(10, 5, 1e-3, 3);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.LLAMA,
                        new MonteCLora(FOUR, 3, true, 0.1, 0.3, 1e-3, 150),
                        4 * 2 * (2 * 64 + 2 * 48 + 3 * 96) + 14 * (4 + 3),
                        true),
                new Case(
                        Bases.BERT,
                        new MonteCLora(FOUR, 8, false, 0.1, 1e-4, 1e-5, 150),
                        4 * (2 * (4 * 64 + 2 * 96) + 64) + 13 * (4 + 8),
                        true));
    }

    private static Adapter adapter(double scale) {
        LoraConfig config = FOUR.withInit(LoraInits.of("false"));
        return Adapter.create(Bases.load(Bases.LLAMA), new MonteCLora(config, 3, true, 0.1, scale, 1e-3, 150), 1);
    }

    private static Tensor training(Adapter adapter) {
        Base base = adapter.base();
        return base.logits(
                Bases.batch(), ForwardPass.training(Selection.of(adapter).hooks()));
    }

    @Test
    void drawsAnewInEveryStepAndTheSameInTheSameStep() {
        Adapter adapter = adapter(0.3);
        TrainingRule rule = adapter.method().trainingRule(adapter, RUN);
        Hooks hooks = Selection.of(adapter).hooks();
        Tensor plain = adapter.base().logits(Bases.batch(), ForwardPass.inference(hooks));
        rule.beforeStep(0);
        Tensor first = training(adapter);
        rule.beforeStep(1);
        Tensor second = training(adapter);
        rule.beforeStep(0);
        Tensor mask = Bases.batch().mask();

        assertThat(Bases.difference(first, plain, mask)).isGreaterThan(1e-2);
        assertThat(Bases.difference(second, first, mask)).isGreaterThan(1e-2);
        assertThat(Bases.difference(training(adapter), first, mask)).isZero();
        assertThat(Bases.difference(adapter.base().logits(Bases.batch(), ForwardPass.inference(hooks)), plain, mask))
                .isZero();
    }

    /** A' - A is a mean of normal samples whose standard deviation is ε √(v Σ w²). */
    @Test
    void spreadsAsItsDistributionsSay() {
        Adapter adapter = adapter(0.5);
        TrainingRule rule = adapter.method().trainingRule(adapter, RUN);
        String key = "model.layers.0.mlp.down_proj.lora_monteclora_sampler.";
        rule.beforeStep(4);
        rule.afterUpdate(4, 1e-3);
        try (NoGrad noGrad = new NoGrad()) {
            double[] weights = Tensors.doubles(adapter.value(key + "expert_weights"));
            double[] variances =
                    Tensors.doubles(adapter.value(key + "gaussian_var_prior").diag());
            double[] tau = Tensors.doubles(adapter.value(key + "std_prior"));
            double[] chi = Tensors.doubles(adapter.value(key + "chi"));

            assertThat(weights[0] + weights[1] + weights[2]).isCloseTo(1, org.assertj.core.data.Offset.offset(1e-6));
            for (int i = 0; i < 4; i++) {
                assertThat(variances[i])
                        .isCloseTo(
                                Math.max(1e-3, Math.exp(2 * tau[i]) * chi[i]),
                                org.assertj.core.data.Offset.offset(1e-4 * (1 + variances[i])));
                assertThat(chi[i]).isPositive();
            }
        }
    }

    @Test
    void itsPenaltyIsLeastAtThePriorAndPullsTowardsIt() {
        Adapter adapter = adapter(0.3);
        TrainingRule rule = adapter.method().trainingRule(adapter, RUN);
        rule.beforeStep(0);
        double far = Tensors.item(rule.penalty());
        for (int step = 0; step < 200; step++) {
            rule.penalty().backward();
            try (NoGrad noGrad = new NoGrad()) {
                adapter.trainable().forEach((key, value) -> {
                    if (value.grad().defined()) {
                        value.sub_(value.grad(), new Scalar(100.0));
                        value.mutable_grad().zero_();
                    }
                });
            }
        }

        assertThat(Tensors.item(rule.penalty())).isLessThan(far);
        assertThat(Tensors.item(rule.penalty())).isPositive();
    }

    @Test
    void refusesAStartThatChangesTheBase() {
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA), MonteCLora.DEFAULT.with(FOUR.withInit(LoraInits.of("olora"))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("olora");
    }
}
