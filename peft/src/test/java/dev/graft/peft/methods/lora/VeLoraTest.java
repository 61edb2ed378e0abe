package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Bases;
import dev.graft.peft.CalibrationBatches;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.peft.inits.LoraInits;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class VeLoraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.LLAMA,
                        new VeLora(FOUR, 5, 1, VeLora.Projection.RANDOM),
                        4 * 2 * (2 * 64 + 2 * 48 + 3 * 96),
                        true),
                new Case(
                        Bases.BERT,
                        new VeLora(FOUR, 4, 0.5, VeLora.Projection.BATCH_AVERAGE),
                        4 * (2 * (4 * 64 + 2 * 96) + 64),
                        true));
    }

    /** The gradient of A is that of compressed inputs. */
    @Override
    protected boolean isDerivative(String key) {
        return !key.contains("lora_A");
    }

    private static Tensor gradientOfA(VeLora method) {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(
                base,
                new AdapterConfig(method, List.of(), null, null, null),
                CalibrationBatches.of(base, List.of(Bases.batch())),
                1);
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        base.logits(Bases.batch(), pass)
                .pow(new org.bytedeco.pytorch.Scalar(2.0))
                .sum()
                .backward();
        pass.backward();
        return adapter.trainable()
                .get("model.layers.0.self_attn.q_proj.lora_A.weight")
                .grad();
    }

    private static VeLora of(int groups, VeLora.Projection projection) {
        LoraConfig config = FOUR.withTargets(TargetModules.regex(".*layers\\.0\\.self_attn\\.q_proj"))
                .withInit(LoraInits.of("false"));
        return new VeLora(config, groups, 1, projection);
    }

    /** With a group for each feature v is 1 and nothing is lost. */
    @Test
    void givesTheWholeGradientWithAsManyGroupsAsFeatures() {
        Tensor whole = gradientOfA(of(32, VeLora.Projection.BATCH_AVERAGE));
        Tensor half = gradientOfA(of(16, VeLora.Projection.BATCH_AVERAGE));
        Tensor once = gradientOfA(of(32, VeLora.Projection.BATCH_AVERAGE_ONCE));

        assertThat(Tensors.item(whole.sub(once).abs().amax())).isLessThan(1e-4);
        assertThat(Tensors.item(whole.sub(half).abs().amax())).isGreaterThan(1e-2);
    }

    /** With two features to a group, both get what lies along v: the gradient's columns are in v's proportion. */
    @Test
    void givesTheFeaturesOfAGroupGradientsInTheProportionOfTheProjection() {
        Tensor gradient = gradientOfA(of(16, VeLora.Projection.BATCH_AVERAGE)).view(4, 16, 2);
        Tensor ratio = gradient.select(2, 1).div(gradient.select(2, 0));

        assertThat(Tensors.item(
                        ratio.sub(Ops.mean(ratio.reshape(-1), 0, true)).abs().amax()))
                .isLessThan(1e-2 * Math.max(1, Math.abs(Tensors.item(ratio.abs().amax()))));
    }

    @Test
    void refusesWhatItCannotDo() {
        Base base = Bases.load(Bases.LLAMA);
        assertThatThrownBy(() -> Adapter.create(base, new VeLora(FOUR, 4, 1, VeLora.Projection.BATCH_AVERAGE_ONCE), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("calibration batches");
        VeLora pissa = new VeLora(FOUR.withInit(LoraInits.of("pissa")), 4, 1, VeLora.Projection.RANDOM);
        assertThatThrownBy(() -> Adapter.create(base, pissa, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pissa");
    }
}
