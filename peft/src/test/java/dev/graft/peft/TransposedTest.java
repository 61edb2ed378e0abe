package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.TensorSource;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Layers whose weights checkpoints hold as {@code [in, out]}. */
class TransposedTest {
    private static final String WHOLE = "transformer.h.1.mlp.c_fc.weight";

    private static Adapter adapter() {
        Lora lora = new Lora(LoraConfig.DEFAULT.withR(2).withAlpha(4).withTargets(TargetModules.names("c_attn")));
        Adapter adapter = Adapter.create(
                Bases.load(Bases.GPT2), new AdapterConfig(lora, List.of("h.1.mlp.c_fc"), null, null, null), 1);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable().values().forEach(value -> value.add_(new Scalar(0.05)));
        }
        return adapter;
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    @Test
    void aModuleSavedWholeIsWrittenAsTheCheckpointHoldsIt(@TempDir Path folder) {
        Adapter adapter = adapter();
        adapter.save(folder.resolve("saved"));

        try (TensorSource file = Safetensors.open(folder.resolve("saved/adapter_model.safetensors"))) {
            assertThat(file.info("base_model.model." + WHOLE).shape()).containsExactly(32, 64);
            assertThat(file.info("base_model.model.transformer.h.0.attn.c_attn.lora_B.weight")
                            .shape())
                    .containsExactly(96, 2);
        }
        assertThat(Json.read(folder.resolve("saved/adapter_config.json"))
                        .path("fan_in_fan_out")
                        .booleanValue())
                .isTrue();
        Adapter again = Adapter.load(adapter.base(), folder.resolve("saved"));
        assertThat(logits(adapter.base(), Selection.of(again).hooks())
                        .equal(logits(adapter.base(), Selection.of(adapter).hooks())))
                .isTrue();
    }

    @Test
    void mergingKeepsTheLayoutOfTheCheckpoint() {
        Adapter adapter = adapter();
        Base base = adapter.base();
        Base merged = Merge.merge(adapter);

        base.parameters()
                .forEach((name, value) -> assertThat(
                                Tensors.shape(merged.parameters().get(name)))
                        .as(name)
                        .isEqualTo(Tensors.shape(value)));
        assertThat(Tensors.floats(merged.parameters().get(WHOLE)))
                .isEqualTo(Tensors.floats(adapter.parameters().get(WHOLE).value()));
        Tensor adapted = logits(base, Selection.of(adapter).hooks());
        assertThat(Bases.difference(
                        logits(merged, Hooks.NONE), adapted, Bases.batch().mask()))
                .isLessThan(2e-5);
        assertThat(Bases.difference(
                        logits(base, Hooks.NONE), adapted, Bases.batch().mask()))
                .isGreaterThan(1e-2);
    }
}
