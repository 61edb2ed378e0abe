package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Safetensors;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.matrices.GroupedInt4Matrix;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Effect;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class QaLoraTest extends MethodContract {
    private static final LoraConfig FOUR = LoraConfig.DEFAULT.withR(4).withAlpha(8);

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(Bases.BERT, new QaLora(FOUR, 16), 4 * (2 * (4 * 34 + 66 + 36) + 34), true),
                new Case(Bases.LLAMA, new QaLora(FOUR, 8), 4 * 2 * (2 * 36 + 2 * 20 + 2 * 68 + 40), true));
    }

    private static Base int4() {
        return Base.load(
                Bases.LLAMA,
                Bases.FIXTURES.resolve("bases/" + Bases.LLAMA),
                Base.Options.DEFAULT.withQuantization(Quantization.INT4));
    }

    private static Adapter trained(Base base, int group) {
        Adapter adapter = Adapter.create(base, new QaLora(FOUR, group), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(Rng.of(1, "trained " + key).normal(0, 0.1, Tensors.shape(value))));
        }
        return adapter;
    }

    private static double difference(Base one, Hooks hooks, Base other) {
        try (Scope scope = new Scope()) {
            Tensor a = one.logits(Bases.batch(), ForwardPass.inference(hooks));
            Tensor b = other.logits(Bases.batch(), ForwardPass.inference(Hooks.NONE));
            return Bases.difference(a, b, Bases.batch().mask());
        }
    }

    /** PEFT's own forward and gradients, on a layer of 48 inputs in groups of 16. */
    @Test
    void computesAndLearnsWhatPeftDoes() {
        try (Scope scope = new Scope();
                Safetensors file = Safetensors.open(Bases.FIXTURES.resolve("quantized/qa-lora.safetensors"))) {
            LowRank update = new LowRank(
                    read(file, "lora_A"), read(file, "lora_B"), null, 2, 0, null, site(read(file, "weight")));
            Effect.Delta effect = QaLora.of(update, 16, 0);
            Tensor x = read(file, "x");
            Tensor y = x.matmul(read(file, "weight").t());
            assertThat(largest(y.add(effect.apply(x, ForwardPass.inference(Hooks.NONE))), read(file, "y")))
                    .isLessThan(1e-5);

            Effect.ManualGradientDelta formula = effect.manualGradient();
            assertThat(formula).isNotNull();
            update.a().requires_grad_(true);
            update.b().requires_grad_(true);
            try (NoGrad noGrad = new NoGrad()) {
                Tensor sum = y.clone();
                List<Tensor> results = formula.forward(x, sum);
                assertThat(largest(sum, read(file, "y"))).isLessThan(1e-5);
                assertThat(largest(formula.forward(x, null).get(0).add(y), sum)).isLessThan(1e-5);
                List<Tensor> kept = results.subList(1, results.size());
                Tensor gradient = read(file, "gradient");
                Tensor dx = gradient.matmul(read(file, "weight"));
                formula.backward(x, gradient, kept, dx);
                assertThat(largest(dx, read(file, "grad.x"))).isLessThan(1e-4);
            }
            assertThat(largest(update.a().grad(), read(file, "grad.lora_A"))).isLessThan(1e-4);
            assertThat(largest(update.b().grad(), read(file, "grad.lora_B"))).isLessThan(1e-4);
        }
    }

    private static Linear site(Tensor weight) {
        return new Linear("layer", Role.UP, 0, weight, null);
    }

    private static double largest(Tensor a, Tensor b) {
        return Tensors.item(a.sub(b).abs().amax());
    }

    private static Tensor read(Safetensors file, String name) {
        return Tensors.of(file.bytes(name), ScalarType.Float, file.info(name).shape());
    }

    @Test
    void mergesIntoTheBiasesOfAnInt4BaseAndChangesNoCode(@TempDir Path folder) throws Exception {
        Base base = int4();
        Adapter adapter = trained(base, 32);
        Merge.Merged merged = Merge.merge(base, Selection.of(adapter), Merge.QuantizedPolicy.REFUSE);

        assertThat(merged.relativeErrors()).isEmpty();
        assertThat(difference(base, Selection.of(adapter).hooks(), merged.base()))
                .isLessThan(1e-4);
        base.quantized().forEach((name, matrix) -> {
            GroupedInt4Matrix before = (GroupedInt4Matrix) matrix;
            GroupedInt4Matrix after =
                    (GroupedInt4Matrix) merged.base().quantized().get(name);
            assertThat(after.codes().equal(before.codes())).as(name).isTrue();
            assertThat(after.biases().equal(before.biases())).as(name).isFalse();
        });
        merged.base().save(folder.resolve("merged"));
        Base again = Base.load(folder.resolve("merged"));
        assertThat(again.checksum()).isEqualTo(merged.base().checksum());
        assertThat(Files.readString(folder.resolve("merged/config.json"))).contains("\"group_size\": 32");
    }

    @Test
    void twoAdaptersWithStrengthsMergeExactlyToo() {
        Base base = int4();
        Selection both = Selection.all(Selection.of(trained(base, 32)), Selection.of(trained(base, 32), 0.5));
        Merge.Merged merged = Merge.merge(base, both, Merge.QuantizedPolicy.REQUANTIZE);
        assertThat(merged.relativeErrors()).isEmpty();
        assertThat(difference(base, both.hooks(), merged.base())).isLessThan(1e-4);
    }

    @Test
    void smallerGroupsThanTheBaseHasAreRefusedUnlessTheyMayBeRounded() {
        Base base = int4();
        Adapter adapter = trained(base, 16);
        assertThatThrownBy(() -> Merge.merge(adapter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is kept in int4");
        Merge.Merged merged = Merge.merge(base, Selection.of(adapter), Merge.QuantizedPolicy.REQUANTIZE);
        assertThat(merged.relativeErrors()).isNotEmpty();
    }

    @Test
    void refusesWhatItDoesNotHave() {
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), new QaLora(FOUR, 24), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("qalora_group_size is 24")
                .hasMessageContaining("32 inputs");
        assertThatThrownBy(() -> new QaLora(FOUR.withLoraBias(true), 16)).hasMessageContaining("lora_bias");
        assertThatThrownBy(() -> new QaLora(FOUR, 0)).hasMessageContaining("qalora_group_size is 0");
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load(Bases.LLAMA),
                        new QaLora(FOUR.withTargets(TargetModules.names("embed_tokens")), 16),
                        1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is not a linear layer");
    }
}
