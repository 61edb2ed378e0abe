package dev.graft.peft.methods;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.Pass;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Merge;
import dev.graft.peft.Selection;
import dev.graft.peft.Targets;
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
import tools.jackson.databind.node.ObjectNode;

class ExpertLoraTest {
    private static final LoraConfig ALL = LoraConfig.DEFAULT
            .withRank(2, 4)
            .withTargets(Targets.DEFAULT)
            .withParameters(List.of("experts.gate_up_proj", "experts.down_proj", "gate.weight"));

    private static Adapter moved(LoraConfig config, long seed) {
        Adapter adapter = Adapter.create(Bases.load("mixtral"), new Lora(config), seed);
        try (NoGrad off = new NoGrad()) {
            adapter.trainable()
                    .forEach((key, value) ->
                            value.add_(Rng.of(seed, "moved " + key).normal(0, 0.1, Tensors.shape(value))));
        }
        return adapter;
    }

    private static Tensor logits(Base base, Hooks hooks) {
        return base.logits(Bases.batch(), Pass.inference(hooks));
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
    void mergingGivesWhatItComputes() {
        Adapter adapter = moved(ALL, 2);
        Tensor adapted = logits(adapter.base(), Selection.of(adapter).hooks());

        assertThat(difference(logits(Merge.merge(adapter), Hooks.NONE), adapted))
                .isLessThan(2e-5);
        assertThat(difference(logits(adapter.base(), Hooks.NONE), adapted)).isGreaterThan(1e-2);
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

    @Test
    void itTrainsInPieces() {
        Adapter adapter = moved(ALL, 5);
        Pass pass = Pass.training(Selection.of(adapter).hooks());
        adapter.base().logits(Bases.batch(), pass).square().sum().backward();
        pass.backward();

        adapter.trainable()
                .forEach((key, value) -> assertThat(
                                Tensors.item(value.grad().abs().amax()))
                        .as(key)
                        .isGreaterThan(0));
    }

    @Test
    void itIsTheSameAfterSavingAndLoading(@TempDir Path folder) {
        Adapter adapter = moved(ALL, 6);
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
