package dev.graft.peft.methods.bottleneck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.graft.formats.InputException;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Hooks;
import dev.graft.peft.Bases;
import dev.graft.peft.MethodContract;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class InvertibleTest extends MethodContract {
    private static final long PLACE = 2 * 32 * 4 + 4 + 32;

    @Override
    protected List<Case> cases() {
        Invertible single = new Invertible(Invertible.DEFAULT.config().withReduction(8));
        Invertible twice = new Invertible(Invertible.DEFAULT
                .config()
                .withReduction(8)
                .withAttention(true)
                .withNormed(false)
                .withActivation("tanh")
                .withCoupling(new AdditiveCoupling(0.5)));
        long coupling = 2 * (2 * 16 * 8 + 8 + 16);
        return List.of(
                new Case(Bases.BERT, single, 2 * PLACE + coupling, false),
                new Case(Bases.BERT, twice, 4 * PLACE + 2 * (2 * 16 * 32 + 32 + 16), false),
                new Case(Bases.LLAMA, single, 2 * PLACE + coupling, false));
    }

    @Test
    void theCouplingCanBeUndone() {
        Rng rng = Rng.of(1, "coupling");
        AdditiveCoupling.Net f = new AdditiveCoupling.Net(
                rng.normal(0, 1, 5, 4),
                rng.normal(0, 1, 5),
                rng.normal(0, 1, 3, 5),
                rng.normal(0, 1, 3),
                Activation.RELU);
        AdditiveCoupling.Net g = new AdditiveCoupling.Net(
                rng.normal(0, 1, 6, 3),
                rng.normal(0, 1, 6),
                rng.normal(0, 1, 4, 6),
                rng.normal(0, 1, 4),
                Activation.TANH);
        AdditiveCoupling.CouplingLayer layer = new AdditiveCoupling.CouplingLayer(3, f, g);
        Tensor x = rng.normal(0, 1, 2, 3, 7);
        Tensor there = layer.apply(x, Tensors.zeros(x.scalar_type(), 1), null, ForwardPass.inference(Hooks.NONE));

        assertThat(Tensors.item(there.sub(x).abs().amax())).isGreaterThan(1);
        assertThat(Tensors.item(layer.undo(there).sub(x).abs().amax())).isLessThan(1e-5);
    }

    @Test
    void refusesACouplingWithNothingInside() {
        assertThatThrownBy(() -> new AdditiveCoupling(0)).isInstanceOf(InputException.class);
        Invertible none = new Invertible(Invertible.DEFAULT.config().withCoupling(new AdditiveCoupling(100)));
        assertThatThrownBy(() -> dev.graft.peft.Adapter.create(Bases.load(Bases.BERT), none, 1))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("inv_adapter_reduction_factor is 100.0");
    }
}
