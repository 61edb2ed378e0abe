package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Methods;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

class FrodTest extends MethodContract {
    private static Frod of(double rate, double dropout, boolean startAsBase) {
        return new Frod(rate, 1e-3, 3, dropout, Bias.NONE, TargetModules.DEFAULT, startAsBase, true, false);
    }

    @Override
    protected List<Case> cases() {
        int narrow = 32 + 1024 / 20;
        int wide = 64 + 64 * 64 / 20;
        return List.of(
                new Case(
                        Bases.BERT,
                        of(0.05, 0, true).withTargets(TargetModules.ALL_LINEAR),
                        2 * (5 * narrow + wide) + narrow,
                        true),
                new Case(Bases.LLAMA, of(0.02, 0, true), 4 * (32 + 20), true),
                new Case(Bases.LLAMA, of(0.01, 0, false), 4 * (32 + 10), false));
    }

    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    @Test
    void writesTheWeightsOfAKindOfLayerWithOneBasis() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, of(0.02, 0, true).withTargets(TargetModules.names("q_proj")), 1);
        Tensor v = Ops.to(adapter.value("frod_V.self_attn_q_proj"), ScalarType.Double);

        assertThat(adapter.sites()).hasSize(2).allSatisfy(site -> {
            Tensor left = Ops.to(adapter.value(site.name() + ".frod_left"), ScalarType.Double);
            Tensor again = left.matmul(v.t());
            Tensor weight = Ops.to(((Linear) site).weight(), ScalarType.Double);
            assertThat(Tensors.item(again.sub(weight).abs().amax())).isLessThan(1e-5);
        });
    }

    @Test
    void placesAreOffTheDiagonalAndDifferent() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(1, 0, true), 1);
        Tensor indices = adapter.value("frod_s_indices.self_attn_v_proj");
        Tensor flat = Ops.scale(indices.select(0, 0), 32).add(indices.select(0, 1));

        assertThat(Tensors.shape(indices)).containsExactly(2, 32 * 31);
        assertThat(indices.select(0, 0).eq(indices.select(0, 1)).any().item_bool())
                .isFalse();
        assertThat(java.util.Arrays.stream(Tensors.doubles(flat)).distinct().count())
                .isEqualTo(32 * 31);
    }

    @Test
    void trainsTheDiagonalAloneWhereNothingElseIsAskedFor() {
        Adapter adapter = Adapter.create(Bases.load(Bases.LLAMA), of(0, 0, true), 1);

        assertThat(adapter.trainableCount()).isEqualTo(4 * 32);
        assertThat(Tensors.shape(adapter.value("frod_s_indices.self_attn_v_proj")))
                .containsExactly(2, 0);
    }

    @Test
    void dropsInputsInTraining() {
        assertThat(effectOfDropout(Bases.load(Bases.LLAMA), of(0.05, 0.5, false)))
                .isGreaterThan(1e-4);
    }

    @Test
    void refusesWhatHasNoMeaning() {
        assertThatThrownBy(() -> of(1.5, 0, true))
                .isInstanceOf(InputException.class)
                .hasMessage("sparse_rate is 1.5, expected 0 to 1");
        ObjectNode json =
                JsonNodeFactory.instance.objectNode().put("sparse_rate", 0.1).put("save_projection", false);
        assertThatThrownBy(() ->
                        Methods.named("frod").read(Fields.of("adapter_config.json", json), Bases.load(Bases.LLAMA)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("save_projection");
    }
}
