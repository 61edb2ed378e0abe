package dev.graft.peft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.methods.lora.AdapterHubLora;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class AdaptedLayerTest {
    private static final double UPDATE = 1.0 / 1024;

    /** Adds the same to everything. */
    private record Constant(long width) implements Effect.Delta, Effect.ManualGradientDelta {
        @Override
        public Tensor apply(Tensor x, PassView pass) {
            long[] shape = Tensors.shape(x);
            shape[shape.length - 1] = width;
            return Ops.plus(Tensors.zeros(x.scalar_type(), shape), UPDATE);
        }

        @Override
        public Effect.ManualGradientDelta manualGradient() {
            return this;
        }

        @Override
        public @Nullable Tensor weight() {
            return null;
        }

        @Override
        public List<Tensor> forward(Tensor x, @Nullable Tensor sum) {
            Tensor start = sum == null ? Tensors.zeros(x.scalar_type(), x.size(0), width) : sum;
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

    /** Beside other values for the layer's own parameters too, and their gradients are found. */
    @Test
    void smallUpdatesAreNotLostBesideOtherParameters() {
        try (Scope scope = new Scope()) {
            Tensor w = Ops.to(Rng.of(3, "w").normal(0, 0.05, 512, 256), ScalarType.BFloat16);
            Tensor x = Ops.to(Rng.of(3, "x").normal(0, 1, 64, 256), ScalarType.BFloat16);
            Tensor exact = Ops.to(x, ScalarType.Double)
                    .matmul(Ops.to(w, ScalarType.Double).t());
            Linear layer = new Linear("layer", Role.UP, 0, w, Tensors.zeros(ScalarType.BFloat16, 512));
            Tensor bias = Tensors.ones(ScalarType.Float, 512).requires_grad_(true);
            Effect.Delta update = new Constant(512);
            ForwardPass pass = ForwardPass.inference(Hooks.NONE);

            Affine biased = AdaptedLayer.of(layer, layer, new Effect.Replace(null, bias));
            Tensor y = AdaptedLayer.of(layer, biased, update).apply(x, pass);
            y.sum().backward();
            assertThat(bias.grad().defined()).isTrue();
            try (NoGrad noGrad = new NoGrad()) {
                bias.zero_();
                assertThat(mean(AdaptedLayer.of(layer, biased, update).apply(x, pass), exact))
                        .isCloseTo(UPDATE, within(0.1 * UPDATE));
                Affine whole = AdaptedLayer.of(layer, layer, new Effect.Replace(Ops.to(w, ScalarType.Float), null));
                assertThat(mean(AdaptedLayer.of(layer, whole, update).apply(x, pass), exact))
                        .isCloseTo(UPDATE, within(0.1 * UPDATE));
                Affine onTop = AdaptedLayer.of(
                        layer,
                        AdaptedLayer.of(layer, layer, update),
                        new Effect.Replace(null, Tensors.zeros(ScalarType.Float, 512)));
                assertThat(mean(AdaptedLayer.of(layer, onTop, update).apply(x, pass), exact))
                        .isCloseTo(2 * UPDATE, within(0.2 * UPDATE));
            }
        }
    }

    /** Adds the same to all linear layers but the head. */
    private record Everywhere() implements Method {
        @Override
        public Type type() {
            return AdapterHubLora.DEFAULT.type();
        }

        @Override
        public void graft(Grafter g) {
            for (Site site : g.base().sites()) {
                if (site instanceof Linear linear && linear.role() != Role.HEAD) {
                    g.add(linear, new Constant(linear.out()));
                }
            }
        }

        @Override
        public void write(ObjectNode json, Base base) {
            throw new UnsupportedOperationException();
        }
    }

    /** In passes too: with one adapter for all rows or one for each, and where siblings' matrices were put together. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void smallUpdatesAreNotLostInPasses(boolean packed) {
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Base base = Base.load(
                    Bases.FIXTURES.resolve("bases").resolve(Bases.LLAMA),
                    Base.Options.DEFAULT.withNumerics(Numerics.BF16));
            if (packed) {
                base.pack();
            }
            List<Linear> siblings = base.backbone().siblings().get(0);
            Selection one = Selection.of(Adapter.create(base, new Everywhere(), 1));
            Tensor x = Ops.to(Rng.of(3, "x").normal(0, 8, 3, 256, 32), ScalarType.BFloat16);
            for (Selection selection : List.of(one, Selection.rows(one, one, Selection.BASE))) {
                Hooks hooks = selection.hooks();
                ForwardPass pass = ForwardPass.inference(hooks);
                Tensor[] together = hooks.linears(siblings, x, pass);
                for (int i = 0; i < together.length; i++) {
                    Linear site = siblings.get(i);
                    Tensor exact = Ops.to(x, ScalarType.Double)
                            .matmul(Ops.to(site.weight(), ScalarType.Double).t());
                    for (Tensor y : List.of(together[i], hooks.linear(site, x, pass))) {
                        assertThat(mean(y.narrow(0, 0, 2), exact.narrow(0, 0, 2)))
                                .as("%s of %d", site.name(), together.length)
                                .isCloseTo(UPDATE, within(0.3 * UPDATE));
                    }
                }
            }
        }
    }

    private static double mean(Tensor y, Tensor exact) {
        return Tensors.item(Ops.to(y, ScalarType.Double).sub(exact).mean());
    }

    /** What updates add to a layer's output on average: as much in inference as in training. */
    private static double gained(Linear layer, int updates, Tensor x, Tensor exact) {
        Affine all = layer;
        for (int i = 0; i < updates; i++) {
            all = AdaptedLayer.of(layer, all, new Constant(layer.out()));
        }
        Tensor y = ((AdaptedLayer) all).manualGradient().forward(x, null).get(0);
        double inTraining = mean(y, exact);
        double inInference = mean(all.apply(x, ForwardPass.inference(Hooks.NONE)), exact);
        assertThat(inInference).isCloseTo(inTraining, within(1e-9));
        return inTraining;
    }
}
