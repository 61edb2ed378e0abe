package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.Bias;
import dev.graft.peft.Merge;
import dev.graft.peft.MethodContract;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.update.Deft.Decomposition;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class DeftTest extends MethodContract {
    private static final Deft REMOVAL =
            new Deft(3, null, Decomposition.QR, true, 1, 0, Bias.NONE, TargetModules.names("v_proj"), true);

    @Override
    protected List<Case> cases() {
        Deft orthonormal = new Deft(4, 6, Decomposition.QR, false, 1, 0, Bias.NONE, TargetModules.DEFAULT, true);
        return List.of(
                new Case(Bases.BERT, Deft.DEFAULT.withR(4), 4 * (2 * (4 * 64 + 2 * 96) + 64), true),
                new Case(Bases.LLAMA, orthonormal, 2 * 4 * (64 + 48), true),
                new Case(Bases.LLAMA, REMOVAL, 2 * 3 * 16, false));
    }

    @Test
    void withoutRTheSubspaceIsGone() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, REMOVAL, 1);
        Base merged = Merge.merge(adapter);
        Tensor p = adapter.value("model.layers.0.self_attn.v_proj.deft_P").detach();
        Tensor left = weight(merged);

        assertThat(Tensors.item(p.t().matmul(left).abs().amax())).isLessThan(1e-6);
        assertThat(Tensors.item(p.t().matmul(weight(base)).abs().amax())).isGreaterThan(1e-4);
    }

    private static Tensor weight(Base base) {
        return base.sites().stream()
                .filter(site -> site.name().equals("model.layers.0.self_attn.v_proj"))
                .map(site -> ((Linear) site).weight())
                .findFirst()
                .orElseThrow();
    }

    @Test
    void itsSubspaceIsNoLargerThanTheOutput() {
        Adapter adapter = Adapter.create(
                Bases.load(Bases.LLAMA), Deft.DEFAULT.withR(99).withTargets(TargetModules.names("v_proj")), 1);
        assertThat(Tensors.shape(adapter.value("model.layers.0.self_attn.v_proj.deft_P")))
                .containsExactly(16, 16);
        assertThatThrownBy(() -> Deft.DEFAULT.withR(0))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("r is 0");
    }
}
