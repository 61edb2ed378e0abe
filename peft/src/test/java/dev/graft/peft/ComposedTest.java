package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Pass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ComposedTest {
    private static final double UPDATE = 1.0 / 1024;

    /** Adds the same to everything. */
    private record Constant() implements Effect.Delta, Effect.ExplicitDelta {
        @Override
        public Tensor apply(Tensor x, Pass pass) {
            return Ops.plus(Tensors.zeros(x.scalar_type(), x.size(0), 512), UPDATE);
        }

        @Override
        public Effect.ExplicitDelta explicit() {
            return this;
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }

        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            Tensor start = sum == null ? Tensors.zeros(x.scalar_type(), x.size(0), 512) : sum;
            return List.of(Ops.plus(start, UPDATE));
        }

        @Override
        public int kept() {
            return 0;
        }

        @Override
        public void backward(Tensor x, Tensor gradient, List<Tensor> kept, @Nullable Tensor dx) {}
    }

    /** Updates of early steps are less than the last bit of a bf16 product, so they must be in it before it is rounded. */
    @Test
    void smallUpdatesAreNotLostInBf16() {
        try (Scope scope = new Scope()) {
            Tensor w = Ops.to(Rng.of(3, "w").normal(0, 0.05, 512, 256), ScalarType.BFloat16);
            Tensor x = Ops.to(Rng.of(3, "x").normal(0, 1, 64, 256), ScalarType.BFloat16);
            Tensor exact = Ops.to(x, ScalarType.Double)
                    .matmul(Ops.to(w, ScalarType.Double).t());
            assertThat(gained(new Linear("layer", Role.UP, 0, w, null), 1, x, exact))
                    .isCloseTo(UPDATE, within(0.1 * UPDATE));
            assertThat(gained(new Linear("layer", Role.UP, 0, w, null), 2, x, exact))
                    .isCloseTo(2 * UPDATE, within(0.2 * UPDATE));
            Tensor one = Tensors.ones(ScalarType.BFloat16, 512);
            assertThat(gained(new Linear("layer", Role.UP, 0, w, one), 1, x, Ops.plus(exact, 1)))
                    .isCloseTo(UPDATE, within(0.3 * UPDATE));
        }
    }

    /** What updates add to a layer's output on average: as much in inference as in training. */
    private static double gained(Linear layer, int updates, Tensor x, Tensor exact) {
        Affine all = layer;
        for (int i = 0; i < updates; i++) {
            all = Composed.of(layer, all, new Constant());
        }
        Tensor y = ((Composed) all).explicit().forward(x, null).get(0);
        double inTraining = Tensors.item(Ops.to(y, ScalarType.Double).sub(exact).mean());
        Tensor inferred = all.apply(x, Pass.inference(Hooks.NONE));
        double inInference =
                Tensors.item(Ops.to(inferred, ScalarType.Double).sub(exact).mean());
        assertThat(inInference).isCloseTo(inTraining, within(1e-9));
        return inTraining;
    }
}
