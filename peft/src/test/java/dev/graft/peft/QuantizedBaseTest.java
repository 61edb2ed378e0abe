package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.heads.HiddenStates;
import dev.graft.models.matrices.Quantization;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.Dropout;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class QuantizedBaseTest {
    private Scope scope;

    @BeforeEach
    void open() {
        scope = new Scope();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Base load(String base, Quantization kind) {
        return Base.load(base, Bases.FIXTURES.resolve("bases/" + base), Base.Options.DEFAULT.withQuantization(kind));
    }

    private static Tensor logits(Base base, Hooks hooks) {
        ForwardPass pass = ForwardPass.inference(hooks);
        HiddenStates hidden = base.forward(Bases.batch(), pass);
        Tensor logits = base.logits(hidden, pass);
        return logits.narrow(1, hidden.prompt(), Bases.batch().width());
    }

    private static double difference(Tensor a, Tensor b) {
        return Bases.difference(a, b, Bases.batch().mask());
    }

    /** Every method that fits and trains something beside the weights themselves. */
    static Stream<Method.Type> methods() {
        return Methods.all().stream().filter(type -> {
            try (Scope scope = new Scope()) {
                Adapter.create(load(Bases.LLAMA, Quantization.NF4), type.defaults(), 1);
                return type.capabilities().decoder() && !type.defaults().needsData();
            } catch (InputException | IllegalArgumentException unfit) {
                return false;
            }
        });
    }

    /** Values as training may leave them, the same in both adapters. */
    private static void move(Adapter adapter) {
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(Rng.of(1, "moved " + key).normal(0, 0.05, Tensors.shape(value))));
        }
    }

    @ParameterizedTest
    @MethodSource("methods")
    void everyMethodComputesAndLearnsAsOnABaseWithTheSameValues(Method.Type type) {
        Base quantized = load(Bases.LLAMA, Quantization.NF4);
        Adapter one = Adapter.create(quantized, type.defaults(), 1);
        Adapter other = Adapter.create(quantized.dequantized(Map.of()), type.defaults(), 1);
        move(one);
        move(other);
        String before = quantized.checksum();

        Tensor expected = logits(other.base(), Selection.of(other).hooks());
        assertThat(difference(logits(quantized, Selection.of(one).hooks()), expected))
                .isLessThan(1e-4);
        if (!one.trainable().isEmpty()) { // a router of trained adapters has nothing to learn
            backward(one);
            backward(other);
        }
        one.trainable().forEach((key, value) -> {
            Tensor gradient = other.value(key).grad();
            assertThat(value.grad().defined()).as(key).isEqualTo(gradient.defined());
            if (gradient.defined()) {
                double size = Tensors.item(gradient.abs().amax());
                assertThat(Tensors.item(value.grad().sub(gradient).abs().amax()))
                        .as(key)
                        .isLessThan(1e-4 * (1 + size));
            }
        });
        assertThat(quantized.checksum()).isEqualTo(before);
    }

    private static void backward(Adapter adapter) {
        Dropout.seed(1, 1, 0);
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        Tensor logits = adapter.base().logits(Bases.batch(), pass);
        Tensor direction = Rng.of(3, "direction").normal(0, 1, Tensors.shape(logits));
        logits.mul(direction).sum().backward();
        pass.backward();
    }

    @ParameterizedTest
    @EnumSource(
            value = Quantization.class,
            names = {"NF4", "FP4", "INT8", "INT4"})
    void onlyLinearLayersOfTheBackboneAreQuantised(Quantization kind) {
        Base base = load(Bases.LLAMA, kind);
        assertThat(base.quantized()).isNotEmpty();
        for (var site : base.sites()) {
            if (site instanceof Linear linear) {
                assertThat(linear.isQuantized()).as(linear.name()).isEqualTo(linear.layer() >= 0);
            }
        }
        Base whole = Bases.load(Bases.LLAMA);
        assertThat(base.parameterCount()).isEqualTo(whole.parameterCount());
        assertThat(base.parameterBytes()).isLessThan(whole.parameterBytes());
        assertThat(base.fingerprint()).isEqualTo(whole.fingerprint());
        double moved = difference(logits(base, Hooks.NONE), logits(whole, Hooks.NONE));
        assertThat(moved).isBetween(1e-6, 3.0);
        assertThat(base.dequantized(Map.of()).quantized()).isEmpty();
    }

    @Test
    void aTransposedWeightIsQuantisedAsItIsUsed() {
        Base base = load(Bases.GPT2, Quantization.NF4);
        Base whole = base.dequantized(Map.of());
        assertThat(difference(logits(base, Hooks.NONE), logits(whole, Hooks.NONE)))
                .isLessThan(1e-4);
    }

    private static Adapter lora(Base base) {
        Adapter adapter = Adapter.create(base, Methods.named("lora").defaults(), 1);
        move(adapter);
        return adapter;
    }

    @Test
    void aMergeIsRefusedUnlessItIsSaidWhatBecomesOfTheMatrices() {
        Adapter adapter = lora(load(Bases.LLAMA, Quantization.NF4));
        assertThatThrownBy(() -> Merge.merge(adapter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is kept in nf4")
                .hasMessageContaining("--dequantize");
    }

    @ParameterizedTest
    @MethodSource("bases")
    void aMergeIntoAWholeModelIsExact(String name) {
        Base base = load(name, Quantization.NF4);
        Adapter adapter = lora(base);
        Merge.Merged merged = Merge.merge(base, Selection.of(adapter), Merge.QuantizedPolicy.DEQUANTIZE);
        assertThat(merged.relativeErrors()).isEmpty();
        assertThat(merged.base().quantized()).isEmpty();
        assertThat(difference(
                        logits(merged.base(), Hooks.NONE),
                        logits(base, Selection.of(adapter).hooks())))
                .isLessThan(1e-4);
    }

    static List<String> bases() {
        return List.of(Bases.LLAMA, Bases.TIED, Bases.GPT2);
    }

    @ParameterizedTest
    @EnumSource(
            value = Quantization.class,
            names = {"NF4", "FP4", "INT8", "INT4"})
    void aMergeThatQuantisesAgainSaysWhatItLost(Quantization kind) {
        Base base = load(Bases.LLAMA, kind);
        Adapter adapter = lora(base);
        Merge.Merged merged = Merge.merge(base, Selection.of(adapter), Merge.QuantizedPolicy.REQUANTIZE);
        Base whole = Merge.merge(base, Selection.of(adapter), Merge.QuantizedPolicy.DEQUANTIZE)
                .base();
        assertThat(merged.relativeErrors()).isNotEmpty();
        merged.relativeErrors().forEach((name, error) -> {
            Tensor exact = whole.parameters().get(name);
            Tensor found = merged.base().quantized().get(name).values();
            double expected = Tensors.item(found.sub(exact).norm()) / Tensors.item(exact.norm());
            assertThat(error).as(name).isCloseTo(expected, org.assertj.core.api.Assertions.within(1e-6));
            assertThat(error).isBetween(1e-4, 0.2);
        });
        base.quantized().forEach((name, matrix) -> {
            if (!merged.relativeErrors().containsKey(name)) {
                assertThat(merged.base().quantized().get(name)).isSameAs(matrix);
            }
        });
    }

    @Test
    void aWeightThatIsQuantisedCanNotBeTrainedItself() {
        Base base = load(Bases.LLAMA, Quantization.INT8);
        assertThatThrownBy(() ->
                        Adapter.create(base, Methods.named("full-fine-tuning").defaults(), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is kept in int8")
                .hasMessageContaining("quantization none");
    }
}
