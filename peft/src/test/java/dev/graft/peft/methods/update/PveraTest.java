package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Methods;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class PveraTest extends MethodContract {
    private static final Pvera SIX = Pvera.DEFAULT.withR(6).withTargets(TargetModules.DEFAULT);

    /** The contract compares training with inference, where the mean is taken. */
    private Dropout.Disabled mean = () -> {};

    @BeforeEach
    void takeTheMean() {
        mean = Dropout.disabled();
    }

    @AfterEach
    void drawAgain() {
        mean.close();
    }

    private static Pvera of(double dropout, SharedProjection projection, boolean startAtZero) {
        return new Pvera(6, 0.1, dropout, projection, Bias.NONE, TargetModules.DEFAULT, startAtZero, null);
    }

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.BERT,
                        SIX.withTargets(TargetModules.ALL_LINEAR),
                        13 * 12 + 2 * (4 * 32 + 64 + 32) + 32,
                        true),
                new Case(Bases.LLAMA, of(0, new SharedProjection(3, false), true), 4 * 12 + 2 * (32 + 16), true),
                new Case(Bases.LLAMA, of(0, SharedProjection.SAVED, false), 4 * 12 + 2 * (32 + 16), false));
    }

    @Test
    void drawsAroundTheMeanWithTheTrainedDeviation() {
        mean.close();
        Base base = Bases.load(Bases.LLAMA);
        Pvera one = of(0, SharedProjection.SAVED, true)
                .withR(1)
                .withTargets(TargetModules.names("layers.0.self_attn.q_proj"));
        Adapter adapter = Adapter.create(base, one, 1);
        Linear site = (Linear) adapter.sites().get(0);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.value(site.name() + ".pvera_lambda_b").fill_(new Scalar(1));
        }
        Hooks hooks = Selection.of(adapter).hooks();
        Tensor x = Tensors.ones(ScalarType.Float, 4000, site.in());
        Tensor expected = hooks.linear(site, x, ForwardPass.inference(hooks));
        Dropout.seed(1, 1, 0);
        Tensor noise =
                hooks.linear(site, x, ForwardPass.training(hooks)).sub(expected).detach();

        double logVariance = Tensors.item(adapter.value("pvera_A")
                .select(0, 1)
                .narrow(0, 0, site.in())
                .sum()
                .mul(new Scalar(0.1)));
        Tensor b = adapter.value("pvera_B").narrow(0, 0, site.out()).select(1, 0);
        Tensor variance = noise.square().mean(0).div(b.square());
        assertThat(Tensors.item(variance.amax())).isCloseTo(Math.exp(logVariance), within(0.1));
        assertThat(Tensors.item(variance.amin())).isCloseTo(Math.exp(logVariance), within(0.1));
    }

    @Test
    void learnsTheDeviationThroughTheNoise() {
        mean.close();
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, of(0, SharedProjection.SAVED, false), 1);
        Dropout.seed(1, 1, 0);
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        base.logits(base.forward(Bases.batch(), pass), pass).square().sum().backward();
        pass.backward();

        Tensor gradient = adapter.trainable()
                .get("model.layers.0.self_attn.q_proj.pvera_lambda_d")
                .grad();
        assertThat(Tensors.item(gradient.narrow(0, 6, 6).abs().amin())).isGreaterThan(1e-6);
    }

    @Test
    void staysFiniteWhereAnActivationIsLarge() {
        mean.close();
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, of(0, SharedProjection.SAVED, false), 1);
        Linear site = (Linear) adapter.sites().get(0);
        Hooks hooks = Selection.of(adapter).hooks();
        Tensor x = Tensors.ones(ScalarType.Float, 1, site.in()).mul(new Scalar(1e4));
        Dropout.seed(1, 1, 0);

        Tensor y = hooks.linear(site, x, ForwardPass.training(hooks));
        y.sum().backward();

        assertThat(y.isfinite().all().item_bool()).isTrue();
        Tensor gradient = adapter.value(site.name() + ".pvera_lambda_d").grad();
        assertThat(gradient.isfinite().all().item_bool()).isTrue();
    }

    @Test
    void refusesToAnswerByChance() {
        ObjectNode json = JsonNodeFactory.instance.objectNode().put("r", 4).put("sample_at_inference", true);

        assertThatThrownBy(() ->
                        Methods.named("pvera").read(Fields.of("adapter_config.json", json), Bases.load(Bases.LLAMA)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("sample_at_inference");
        assertThatThrownBy(() -> SIX.withR(0)).hasMessage("r is 0, expected at least 1");
    }

    @Test
    void dropsInputsInTraining() {
        mean.close();
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), of(0.5, SharedProjection.SAVED, true)))
                .isGreaterThan(1e-4);
    }
}
