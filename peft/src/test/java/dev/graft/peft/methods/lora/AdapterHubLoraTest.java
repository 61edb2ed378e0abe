package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.methods.lora.AdapterHubLora.Vera;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class AdapterHubLoraTest extends MethodContract {
    private static AdapterHubLora lora(List<String> attention, boolean all, boolean gated) {
        return AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .attention(attention)
                .intermediate(all)
                .output(all)
                .gated(gated)
                .build();
    }

    private static AdapterHubLora ia3(boolean gated) {
        return AdapterHubLora.DEFAULT
                .with()
                .r(1)
                .alpha(1)
                .attention(List.of("k", "v"))
                .intermediate(true)
                .scale(true)
                .gated(gated)
                .init(AdapterHubLora.Init.IA3)
                .build();
    }

    private static AdapterHubLora dora() {
        return AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .alpha(2)
                .attention(List.of("q", "k"))
                .intermediate(true)
                .output(true)
                .dora(true)
                .leaveOut(List.of(1))
                .build();
    }

    private static AdapterHubLora vera(boolean dora) {
        return AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .attention(List.of("q"))
                .dora(dora)
                .vera(new Vera(0.1, 0.2))
                .init(AdapterHubLora.Init.VERA)
                .build();
    }

    @Override
    protected List<Case> cases() {
        AdapterHubLora all = lora(List.of("q", "k", "v"), true, false);
        return List.of(
                new Case(Bases.BERT, lora(List.of("q", "v"), false, false), 2 * 2 * 4 * 64, true),
                new Case(Bases.BERT, all, 2 * (3 * 4 * 64 + 2 * 4 * 96), true),
                new Case(Bases.BERT, all.withInit(AdapterHubLora.Init.BERT), 2 * (3 * 4 * 64 + 2 * 4 * 96), false),
                new Case(Bases.BERT, ia3(false), 2 * (2 * 32 + 64), true),
                new Case(Bases.BERT, dora(), 2 * (4 * 64 + 32) + 4 * 96 + 64 + 4 * 96 + 32, true),
                new Case(Bases.LLAMA, vera(false), 2 * (4 * 4 + 32 * 32), false),
                new Case(Bases.LLAMA, ia3(false), 2 * (16 + 16 + 32), true));
    }

    /** The gradient of DoRA's norm is left out, as in the paper. */
    @Override
    protected boolean isDerivative(String key) {
        return !key.contains(".layer.0.") || !key.contains("lora_");
    }

    @ParameterizedTest
    @CsvSource({"lora, 1024", "ia3, 256"})
    void gatesMultiplyWhatItDoes(String which, long without) {
        AdapterHubLora gated = which.equals("lora") ? lora(List.of("q", "v"), false, true) : ia3(true);
        Adapter adapter = Adapter.create(Bases.load(Bases.BERT), gated, 1);
        long places = which.equals("lora") ? 4 : 6;
        long head = 3 * 32 + 3;

        assertThat(adapter.trainableCount()).isEqualTo(without + places * 33 + head);
        assertThatThrownBy(() -> Merge.merge(adapter))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("merge");
    }

    @Test
    void namesOfFeedForwardLayersAreTurnedWhereThereIsAGate() {
        AdapterHubLora up = AdapterHubLora.DEFAULT
                .with()
                .r(2)
                .alpha(2)
                .attention(List.of())
                .output(true)
                .build();

        assertThat(Adapter.create(Bases.load(Bases.LLAMA), up, 1).trainable().keySet())
                .contains("model.layers.0.mlp.up_proj.loras.*.lora_A")
                .hasSize(4);
        assertThat(Adapter.create(Bases.load(Bases.BERT), up, 1).trainable().keySet())
                .contains("bert.encoder.layer.0.output.dense.loras.*.lora_A");
    }

    @ParameterizedTest
    @CsvSource({
        "lora, add, , 0.1021, 0",
        "bert, add, , 0.02, 0.02",
        "ia3, add, , 1, 1",
        "vera, add, , 0.25, 1.4142",
        "lora, scale, , , 0",
        "bert, scale, , , 0.02",
        "ia3, scale, , , 1",
        "bert, add, 0.1, 0.02, 0.02",
        ", add, , 0.1021, 0",
        ", add, 0.1, 0.25, 1.4142",
        ", scale, , , 1"
    })
    void startsAsItIsTold(@Nullable String start, String mode, @Nullable Double d, @Nullable Double a, double b) {
        ObjectNode options = options(mode);
        if (start != null) {
            options.put("init_weights", start);
        }
        options.put("vera_d", d);
        AdapterHubLora method = AdapterHubLora.read(Fields.of("options", options));
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, method, 1);
        ObjectNode written = JsonNodeFactory.instance.objectNode();
        method.write(written, base);
        assertThat(written.path("init_weights").stringValue())
                .as("AdapterHub's files say it always")
                .isEqualTo(method.init().name().toLowerCase(Locale.ROOT));
        String at = d == null ? "model.layers.0.self_attn.q_proj.loras.*." : "model.shared_parameters.*.";

        assertThat(rootMeanSquare(adapter.value(at + "lora_B"))).isCloseTo(b, withinPercentage(40));
        if (a != null) {
            assertThat(rootMeanSquare(adapter.value(at + "lora_A"))).isCloseTo(a, withinPercentage(40));
        }
    }

    private static ObjectNode options(String mode) {
        ObjectNode options = JsonNodeFactory.instance.objectNode();
        options.put("r", 1).put("alpha", 1).put("composition_mode", mode);
        options.putArray("attn_matrices").add("q");
        return options;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt-neox", "codegen", "bloom", "falcon", "deberta-mlm"})
    void refusesLayersThatGiveOneHeadAfterAnother(String base) {
        assertThatThrownBy(() -> Adapter.create(Bases.load(base), lora(List.of("q", "v"), false, false), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("doesn't make all queries, then as many keys and values");
    }

    @Test
    void refusesVeraThatCanNotLearn() {
        assertThatThrownBy(() -> vera(false).withInit(AdapterHubLora.Init.LORA))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_weights is \"lora\", but vera_d is set");
        ObjectNode options = options("add").put("vera_b", 0.1);
        assertThatThrownBy(() -> AdapterHubLora.read(Fields.of("options", options)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("vera_b is 0.1, but vera_d isn't set");
    }

    private static double rootMeanSquare(Tensor values) {
        return Math.sqrt(Tensors.item(values.square().mean()));
    }

    @Test
    void refusesAStartThatAScaleDoesNotHave() {
        assertThatThrownBy(() -> ia3(false).withInit(AdapterHubLora.Init.VERA))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("init_weights");
    }

    @Test
    void refusesWhatMakesNoSense() {
        assertThatThrownBy(() -> lora(List.of("x"), false, false)).hasMessageContaining("attn_matrices has [x]");
        assertThatThrownBy(() -> lora(List.of(), false, false)).hasMessageContaining("nothing to train");
        assertThatThrownBy(() -> AdapterHubLora.DEFAULT
                        .with()
                        .r(2)
                        .alpha(1)
                        .attention(List.of("q"))
                        .scale(true)
                        .init(AdapterHubLora.Init.IA3)
                        .build())
                .hasMessageContaining("composition_mode");
        assertThatThrownBy(() -> AdapterHubLora.DEFAULT
                        .with()
                        .r(2)
                        .alpha(1)
                        .attention(List.of("q"))
                        .gated(true)
                        .dora(true)
                        .build())
                .hasMessageContaining("use_gating");
        AdapterHubLora uneven = AdapterHubLora.DEFAULT
                .with()
                .r(4)
                .attention(List.of("q", "k"))
                .vera(new Vera(0.1, 0))
                .init(AdapterHubLora.Init.VERA)
                .build();
        assertThatThrownBy(() -> Adapter.create(Bases.load(Bases.LLAMA), uneven, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("different sizes");
    }
}
