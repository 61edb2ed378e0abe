package dev.graft.peft.methods.update;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Linear;
import dev.graft.peft.Adapter;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.peft.Selection;
import dev.graft.peft.TargetModules;
import dev.graft.tensor.Tensors;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class OsfTest extends MethodContract {
    private static final String V = "model.layers.0.self_attn.v_proj";

    @Override
    protected List<Case> cases() {
        return List.of(
                new Case(
                        Bases.BERT,
                        Osf.DEFAULT.withRank(Osf.Rank.of(30)),
                        2 * (4 * 65 * 2 + 2 * 97 * 2) + 65 * 2,
                        true),
                // Half of 32, or of 16 for keys and values
                new Case(Bases.LLAMA, Osf.DEFAULT, 2 * (2 * 65 * 16 + 2 * 49 * 8 + 3 * 97 * 16), true),
                new Case(
                        Bases.TIED,
                        new Osf(
                                Osf.Rank.of(20),
                                Map.of("layers.1", new Osf.Rank(0.75, true)),
                                TargetModules.names("q_proj", "v_proj"),
                                true),
                        2 * 65 * 12 + 2 * 65 * 8,
                        true),
                new Case(
                        Bases.LLAMA,
                        new Osf(Osf.Rank.of(14), Map.of(), TargetModules.names("v_proj"), false),
                        2 * 49 * 2,
                        false));
    }

    /** The gradients of the singular vectors are projected. */
    @Override
    protected boolean isDerivative(String key) {
        return key.endsWith("S_low");
    }

    /** The trained values are relative to the singular vectors of the base. */
    @Override
    protected boolean meansTheSameOnARoundedBase() {
        return false;
    }

    @Test
    void gradientsStayOrthogonalToWhatIsKept() {
        Base base = Bases.load(Bases.LLAMA);
        Adapter adapter = Adapter.create(base, Osf.DEFAULT.withTargets(TargetModules.names("v_proj")), 1);
        ForwardPass pass = ForwardPass.training(Selection.of(adapter).hooks());
        base.logits(base.forward(Bases.batch(), pass), pass).square().sum().backward();
        pass.backward();
        Linear site = base.site(Linear.class, V);
        Tensor u = torch.linalg_svd(site.weight(), false, new StringViewOptional())
                .get0()
                .narrow(1, 0, 8);
        Tensor v = torch.linalg_svd(site.weight(), false, new StringViewOptional())
                .get2()
                .narrow(0, 0, 8);
        Tensor du = adapter.trainable().get(V + ".osf_svd_params.U_low").grad();
        Tensor dv = adapter.trainable().get(V + ".osf_svd_params.V_low").grad();

        double size = Tensors.item(dv.abs().amax());
        assertThat(size).isGreaterThan(1e-3);
        assertThat(Tensors.item(u.t().matmul(du).abs().amax())).isLessThan(1e-4 * size);
        assertThat(Tensors.item(dv.matmul(v.t()).abs().amax())).isLessThan(1e-4 * size);
    }

    @Test
    void refusesToKeepEverythingOrNothing() {
        for (int k : new int[] {0, 32}) {
            assertThatThrownBy(() -> Adapter.create(
                            Bases.load(Bases.LLAMA),
                            Osf.DEFAULT.withRank(Osf.Rank.of(k)).withTargets(TargetModules.names("q_proj")),
                            1))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("effective_rank keeps " + k + " of the 32 singular values");
        }
    }
}
