package dev.graft.peft.methods.bottleneck;

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
import dev.graft.peft.methods.bottleneck.Fusion.Child;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Tensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FusionTest extends MethodContract {
    private static final BottleneckConfig WIDE =
            BottleneckConfig.DEFAULT.withReduction(0.5).withScaling(BottleneckConfig.Scaling.of(8));

    private static Fusion of(FusionSettings settings, BottleneckConfig... configs) {
        List<Child> children = new java.util.ArrayList<>();
        for (int i = 0; i < configs.length; i++) {
            children.add(new Child("abc".substring(i, i + 1), configs[i], Map.of()));
        }
        return new Fusion(settings, children);
    }

    @Override
    protected List<Case> cases() {
        FusionSettings exact = new FusionSettings(true, true, true, false, true, true, true, false, false, 0.0);
        FusionSettings keys = new FusionSettings(false, true, false, true, true, false, false, true, false, 0.0);
        FusionSettings after = new FusionSettings(true, false, true, false, false, false, false, false, true, 0.0);
        BottleneckConfig parallel = Parallel.DEFAULT.config().withInit(BottleneckConfig.Init.BERT);
        long dynamic = 3 * 32 * 32 + 64;
        Child stack = new Child("b", WIDE, Map.of(), List.of(new Child("a", WIDE, Map.of())));
        Fusion stacked = new Fusion(exact, List.of(stack, new Child("c", WIDE, Map.of())));
        return List.of(
                new Case(Bases.BERT, of(exact, WIDE, WIDE), 2 * dynamic, false),
                new Case(Bases.BERT, of(keys, WIDE, WIDE, WIDE), 2 * (32 * 32 + 32), false),
                new Case(Bases.BERT, of(after, parallel, parallel), 2 * (2 * 32 * 32 + 32), false),
                new Case(Bases.BERT, stacked, 2 * dynamic, false),
                new Case(Bases.LLAMA, of(exact, WIDE, WIDE), 2 * dynamic, false));
    }

    private static Map<String, Adapter> trained(Base base) {
        Map<String, Adapter> adapters = new LinkedHashMap<>();
        for (String name : List.of("nli", "qa")) {
            adapters.put(name, Adapter.create(base, new Pfeiffer(WIDE), name.hashCode()));
        }
        return adapters;
    }

    @Test
    void givesAnAdapterItsOwnResultWhereTheOthersAreTheSame() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter one = Adapter.create(base, new Pfeiffer(WIDE), 5);
        Map<String, Adapter> twice = new LinkedHashMap<>();
        twice.put("one", one);
        twice.put("other", one);
        Adapter fusion = Adapter.create(base, Fusion.of(twice), 1);

        // V starts at the identity but for 1e-6 beside the diagonal.
        assertThat(Bases.difference(
                        base.logits(
                                Bases.batch(),
                                ForwardPass.inference(Selection.of(fusion).hooks())),
                        base.logits(
                                Bases.batch(),
                                ForwardPass.inference(Selection.of(one).hooks())),
                        Bases.batch().mask()))
                .isLessThan(1e-4);
        assertThat(Bases.difference(
                        base.logits(
                                Bases.batch(),
                                ForwardPass.inference(Selection.of(fusion).hooks())),
                        base.logits(Bases.batch(), ForwardPass.inference(Hooks.NONE)),
                        Bases.batch().mask()))
                .isGreaterThan(1e-2);
    }

    @Test
    void refusesAdaptersWithWholeModulesBesideTheHead() {
        Base base = Bases.load(Bases.BERT);
        Adapter plain = Adapter.create(base, new Pfeiffer(WIDE), 1);
        Adapter whole = Adapter.create(base, plain.config().withModulesToSave(List.of("classifier", "pooler")), 1);
        assertThatThrownBy(() -> Fusion.of(Map.of("plain", plain, "whole", whole)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("pooler");
    }

    @Test
    void takesTheTrainedAdaptersAndLeavesThemFrozen() {
        Base base = Bases.load(Bases.BERT);
        Map<String, Adapter> adapters = trained(base);
        Adapter fusion = Adapter.create(base, Fusion.of(adapters), 1);
        String key = "bert.encoder.layer.1.output.adapters.*.adapter_up.weight";

        adapters.forEach((name, adapter) -> {
            Tensor copy = fusion.parameters().get(key.replace("*", name)).value();
            assertThat(copy.equal(adapter.trainable().get(key))).isTrue();
            assertThat(copy.requires_grad()).isFalse();
        });
        assertThat(fusion.trainable().keySet())
                .contains("bert.encoder.layer.0.output.adapter_fusion_layer.nli,qa.query.bias");
    }

    @Test
    void drawsItsValuesToTheIdentity() {
        Base base = Bases.load(Bases.BERT);
        Adapter fusion = Adapter.create(base, Fusion.of(trained(base)), 1);
        TrainingRule rule = fusion.method().trainingRule(fusion, new TrainingRule.Run(10, 10, 1e-3, 1));
        assertThat(Tensors.item(java.util.Objects.requireNonNull(rule.penalty())))
                .isLessThan(1e-8);
        try (NoGrad noGrad = new NoGrad()) {
            fusion.trainable().forEach((key, value) -> {
                if (key.endsWith("value.weight")) {
                    value.mul_(new org.bytedeco.pytorch.Scalar(3.0));
                }
            });
        }
        // ‖I - 3 I‖² is 4 · 32 in each of two layers.
        assertThat(Tensors.item(java.util.Objects.requireNonNull(rule.penalty())))
                .isCloseTo(0.01 * 2 * 4 * 32, org.assertj.core.data.Offset.offset(1e-3));
    }

    @Test
    void itsTemperatureFallsInTrainingAndIsKept(@TempDir Path folder) {
        Base base = Bases.load(Bases.BERT);
        FusionSettings cooling = new FusionSettings(true, true, true, false, true, true, false, false, true, 0.0);
        Adapter fusion = Adapter.create(base, of(cooling, WIDE, WIDE), 1);
        TrainingRule rule = fusion.method().trainingRule(fusion, new TrainingRule.Run(2000, 10, 1e-3, 1));
        assertThat(rule.penalty()).isNull();
        rule.beforeStep(0);
        assertThat(Tensors.item(Fusion.temperature(fusion))).isEqualTo(50);
        rule.beforeStep(1500);
        assertThat(Tensors.item(Fusion.temperature(fusion))).isEqualTo(1);
        rule.beforeStep(500);
        fusion.save(folder.resolve("fusion"));

        assertThat(Tensors.item(Fusion.temperature(Adapter.load(base, folder.resolve("fusion")))))
                .isEqualTo(25);
    }

    @Test
    void refusesWhatItCannotFuse() {
        Base base = Bases.load(Bases.BERT);
        Map<String, Adapter> mixed = new LinkedHashMap<>(trained(base));
        mixed.put("lora", Adapter.create(base, new Lora(LoraConfig.DEFAULT), 1));
        assertThatThrownBy(() -> Fusion.of(mixed))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("lora is a lora adapter");
        Fusion uneven = of(FusionSettings.STATIC, WIDE, WIDE.withAttention(true));
        assertThatThrownBy(() -> Adapter.create(base, uneven, 1)).hasMessageContaining("differ in their places");
        assertThatThrownBy(() -> of(FusionSettings.STATIC, WIDE)).hasMessageContaining("at least two");
    }
}
