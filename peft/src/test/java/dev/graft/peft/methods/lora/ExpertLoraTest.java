package dev.graft.peft.methods.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.node.ObjectNode;

class ExpertLoraTest {
    private static final LoraConfig ALL = LoraConfig.DEFAULT
            .withR(2)
            .withAlpha(4)
            .withTargets(TargetModules.DEFAULT)
            .withParameters(List.of("experts.gate_up_proj", "experts.down_proj", "gate.weight"));

    /** Its checkpoints hold the experts' matrices transposed. */
    private static final LoraConfig OF_LLAMA4 =
            ALL.withParameters(List.of("experts.gate_up_proj", "experts.down_proj", "router.weight"));

    private static Adapter moved(LoraConfig config, long seed) {
        return moved("mixtral", config, seed);
    }

    private static List<Adapter> movedOfEach(long seed) {
        return List.of(moved("mixtral", ALL, seed), moved("llama4", OF_LLAMA4, seed));
    }

    private static Adapter moved(String base, LoraConfig config, long seed) {
        Adapter adapter = Adapter.create(Bases.load(base), new Lora(config), seed);
        try (NoGrad noGrad = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(Rng.of(seed, "moved " + key).normal(0, 0.1, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), ForwardPass.inference(hooks));
    }

    private static double difference(Tensor a, Tensor b) {
        return Bases.difference(a, b, Bases.batch().mask());
    }

    @Test
    void aNewOneChangesNothingAndTrainsFactorsForEachExpert() {
        Adapter adapter = Adapter.create(Bases.load("mixtral"), new Lora(ALL), 1);

        // Four experts of 64 by 32 and 32 by 32, and a router of 4 by 32, in two layers.
        assertThat(adapter.trainableCount()).isEqualTo(2 * 2 * (4 * (32 + 64) + 4 * (32 + 32) + 32 + 4));
        assertThat(adapter.parameters())
                .containsKeys(
                        "model.layers.0.mlp.experts.base_layer.lora_A.weight",
                        "model.layers.0.mlp.experts.lora_B.weight",
                        "model.layers.1.mlp.gate.lora_A.weight");
        assertThat(difference(
                        logits(adapter.base(), Selection.of(adapter).hooks()), logits(adapter.base(), Hooks.NONE)))
                .isLessThan(2e-5);
    }

    @Test
    void factorsOfTransposedExpertsAreThoseOfTheStoredMatrices() {
        Adapter adapter = Adapter.create(Bases.load("llama4"), new Lora(OF_LLAMA4), 1);
        String experts = "model.layers.1.feed_forward.experts";

        // Three experts of 24 by 16 and 16 by 12, stored as 16 by 24 and 12 by 16.
        assertThat(shape(adapter, experts + ".base_layer.lora_A.weight")).containsExactly(3 * 2, 24);
        assertThat(shape(adapter, experts + ".base_layer.lora_B.weight")).containsExactly(16, 3 * 2);
        assertThat(shape(adapter, experts + ".lora_A.weight")).containsExactly(3 * 2, 16);
        assertThat(shape(adapter, experts + ".lora_B.weight")).containsExactly(12, 3 * 2);
    }

    private static long[] shape(Adapter adapter, String key) {
        return Tensors.shape(adapter.parameters().get(key).value());
    }

    @ParameterizedTest
    @MethodSource("merged")
    void mergingGivesWhatItComputes(Adapter adapter) {
        Tensor adapted = logits(adapter.base(), Selection.of(adapter).hooks());

        assertThat(difference(logits(Merge.merge(adapter), Hooks.NONE), adapted))
                .isLessThan(2e-5);
        assertThat(difference(logits(adapter.base(), Hooks.NONE), adapted)).isGreaterThan(1e-2);
    }

    static List<Adapter> merged() {
        return movedOfEach(2);
    }

    @Test
    void eachRowOfAMixedBatchGetsWhatItGetsAlone() {
        Adapter a = moved(ALL, 3);
        Adapter b = moved(ALL.withParameters(List.of("down_proj")), 4);
        Base base = a.base();
        List<Selection> rows =
                List.of(Selection.of(a), Selection.BASE, Selection.of(b), Selection.of(a), Selection.of(b));
        Tensor mixed = logits(base, Selection.rows(rows).hooks());

        for (int row = 0; row < rows.size(); row++) {
            Tensor alone = logits(base, rows.get(row).hooks()).narrow(0, row, 1);
            Tensor mask = Bases.batch().mask().narrow(0, row, 1);
            assertThat(Bases.difference(mixed.narrow(0, row, 1), alone, mask))
                    .as("row %d", row)
                    .isLessThan(2e-5);
        }
    }

    static List<Adapter> trained() {
        return movedOfEach(5);
    }

    @ParameterizedTest
    @MethodSource("trained")
    void itTrainsInPieces(Adapter adapter) {
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        adapter.base().logits(Bases.batch(), pass).square().sum().backward();
        pass.backward();

        adapter.trainable()
                .forEach((key, value) -> assertThat(
                                Tensors.item(value.grad().abs().amax()))
                        .as(key)
                        .isGreaterThan(0));
    }

    static List<Adapter> saved() {
        return movedOfEach(6);
    }

    @ParameterizedTest
    @MethodSource("saved")
    void itIsTheSameAfterSavingAndLoading(Adapter adapter, @TempDir Path folder) {
        adapter.save(folder.resolve("saved"));
        Adapter again = Adapter.load(adapter.base(), folder.resolve("saved"));

        assertThat(difference(
                        logits(adapter.base(), Selection.of(again).hooks()),
                        logits(adapter.base(), Selection.of(adapter).hooks())))
                .isZero();
    }

    @Test
    void whatPeftRefusesIsRefused(@TempDir Path folder) throws IOException {
        Adapter adapter = moved(ALL, 7);
        adapter.save(folder.resolve("saved"));
        Path config = folder.resolve("saved/adapter_config.json");
        ObjectNode json = (ObjectNode) Json.read(config);
        json.put("lora_dropout", 0.1);
        Files.writeString(config, Json.pretty(json));

        assertThatThrownBy(() -> Adapter.load(adapter.base(), folder.resolve("saved")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("target_parameters")
                .hasMessageContaining("lora_dropout 0");
        assertThatThrownBy(() -> Adapter.create(
                        Bases.load("mixtral"), new Lora(ALL.withParameters(List.of("experts.up_proj"))), 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("experts.up_proj");
    }
}
