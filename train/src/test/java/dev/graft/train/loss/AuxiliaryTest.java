package dev.graft.train.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.graft.models.Base;
import dev.graft.models.forward.AuxiliaryOutput;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import dev.graft.train.data.Target;
import dev.graft.train.optim.FlatParameters;
import java.nio.file.Path;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

/** The shadow of ShadowPEFT answers by itself too, and that counts. */
class AuxiliaryTest {
    private static final Path FIXTURES = Path.of("../parity/fixtures");

    private static void sameAsAutograd(String name, Batch batch, long terms, Function<Tensor, Tensor> sum) {
        Base base = Base.load(FIXTURES.resolve("bases").resolve(name));
        Adapter adapter =
                Adapter.load(base, FIXTURES.resolve("adapters").resolve(name).resolve("shadow"));
        FlatParameters parameters = new FlatParameters(adapter.trainable());
        Hooks hooks = Selection.of(adapter).hooks();
        ForwardPass pass = ForwardPass.inference(hooks);
        Tensor last = sum.apply(base.logits(LossFunction.inputs(batch), pass));
        AuxiliaryOutput auxiliary = pass.auxiliaries().get(0);
        Tensor beside = sum.apply(auxiliary.headOr(base.head()).logits(auxiliary.hidden(), pass));
        Ops.scale(Ops.addScaled(last, beside, auxiliary.weight()), 1.0 / terms).backward();
        float[] expected = Tensors.floats(parameters.gradients().clone());
        parameters.zeroGradients();

        LossFunction lossFunction = Losses.of(base, 0);
        Loss loss = lossFunction.backward(hooks, batch, terms);

        assertThat(loss.terms()).isEqualTo(terms);
        assertThat(loss.sum()).isCloseTo(Tensors.item(last) + 0.05 * Tensors.item(beside), offset(1e-4));
        assertThat(Tensors.floats(parameters.gradients())).containsExactly(expected, offset(1e-5f));
        assertThat(lossFunction.evaluate(hooks, batch).sum())
                .as("what is measured is the adapted model alone")
                .isCloseTo(Tensors.item(last), offset(1e-4));
    }

    @Test
    void nextTokens() {
        int[] labels = {-100, 4, 5, 6, 7};
        Batch batch = LossFunctionTest.batch(new Target.Tokens(labels));
        Tensor predicted = Tensors.of(new long[] {4, 5, 6, 7}, 4);
        sameAsAutograd(
                "llama-gqa",
                batch,
                4,
                logits -> Ops.scale(torch.cross_entropy_loss(logits.select(0, 0).narrow(0, 0, 4), predicted), 4));
    }

    @Test
    void classesByAHeadOfItsOwn() {
        Batch batch = LossFunctionTest.batch(new Target.ClassId(2), new Target.ClassId(0));
        Tensor classes = Tensors.of(new long[] {2, 0}, 2);
        sameAsAutograd("llama-seqcls", batch, 2, logits -> Ops.scale(torch.cross_entropy_loss(logits, classes), 2));
    }
}
