package dev.graft.models.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.graft.models.attention.AttentionMask;
import dev.graft.models.attention.ScaledDotProductAttention;
import dev.graft.models.functions.Activation;
import dev.graft.models.layers.LayerOps;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Hooks;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Role;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Rng;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.tensor.ops.FusedNorm;
import dev.graft.tensor.ops.Products;
import java.util.function.Function;
import java.util.stream.Stream;
import org.assertj.core.api.Assertions;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The gradients by formula of the pieces that models are made of, beside autograd's. */
class ForwardPassTest {
    private final Norm norm =
            new Norm("norm", 0, Norm.Kind.RMS, normal("norm", 6).add_(one()), null, 1e-6);
    private final Linear gate = linear("gate", 8, 6);
    private final Linear up = linear("up", 8, 6);
    private final Linear down = linear("down", 6, 8);

    private static Tensor one() {
        return Tensors.ones(ScalarType.Double, 1);
    }

    private static Tensor normal(String name, long... shape) {
        return Ops.to(Rng.of(3, name).normal(0, 1, shape), ScalarType.Double);
    }

    private static Linear linear(String name, long out, long in) {
        return new Linear(name, Role.UP, 0, normal(name, out, in), normal(name + ".bias", out));
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void aGatedBlockHasTheGradientThatAutogradGives(Activation activation) {
        same(
                (pass, h) -> {
                    Tensor[] parts = LayerOps.linears(pass, norm, h, ScalarType.Double, gate, up);
                    return LayerOps.downProjection(pass, down, activation, parts[0], parts[1]);
                },
                h -> {
                    Tensor x = FusedNorm.rmsNorm(h, norm.weight(), norm.eps());
                    return plain(down, activation.apply(plain(gate, x)).mul(plain(up, x)));
                });
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void aPlainBlockHasTheGradientThatAutogradGives(Activation activation) {
        same(
                (pass, h) -> LayerOps.downProjection(pass, down, activation, LayerOps.linear(pass, up, h), null),
                h -> plain(down, activation.apply(plain(up, h))));
    }

    @Test
    void anOutputThatNothingUsesAddsNothing() {
        same(
                (pass, h) -> LayerOps.linears(pass, norm, h, ScalarType.Double, gate, up)[1],
                h -> plain(up, FusedNorm.rmsNorm(h, norm.weight(), norm.eps())));
    }

    /** Three keys are filled up to 32: with heads of 8 the weights are kept for the backward pass, with heads of 4 made again. */
    @ParameterizedTest
    @ValueSource(ints = {4, 8})
    void attentionHasTheGradientThatAutogradGives(int headDim) {
        int width = 2 * headDim;
        Attention site = new Attention("attention", 0, 2, headDim);
        same(
                normal("h", 2, 3, 3L * width),
                (pass, h) -> {
                    Tensor[] qkv = LayerOps.split(pass, h, width, width, width);
                    pass.context().setInputs(Tensors.ones(ScalarType.Long, 2, 3));
                    AttentionMask mask = AttentionMask.of(site, true, ScalarType.Double, pass);
                    return ScaledDotProductAttention.attend(
                            site,
                            LayerOps.splitHeads(pass, qkv[0], 2, null),
                            LayerOps.splitHeads(pass, qkv[1], 2, null),
                            LayerOps.splitHeads(pass, qkv[2], 2, null),
                            mask,
                            0,
                            pass);
                },
                h -> {
                    Tensor[] qkv = new Tensor[3];
                    for (int i = 0; i < 3; i++) {
                        qkv[i] = h.narrow(2, (long) i * width, width)
                                .view(2, 3, 2, headDim)
                                .transpose(1, 2);
                    }
                    Tensor later = Tensors.ones(ScalarType.Bool, 3, 3).triu(1);
                    Tensor scores = Ops.scale(qkv[0].matmul(qkv[1].transpose(2, 3)), site.scale())
                            .masked_fill(later, new Scalar(Double.NEGATIVE_INFINITY));
                    return scores.softmax(-1).matmul(qkv[2]).transpose(1, 2).reshape(2, 3, width);
                });
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatABlockAddsToAWiderStreamIsNotRoundedBefore(boolean gated) {
        try (Scope scope = new Scope()) {
            Linear last = new Linear("last", Role.DOWN, 0, half(normal("w", 6, 8)), half(normal("b", 6)));
            Block block = new Block("block", 0, Block.Kind.FEED_FORWARD, 6, null);
            Tensor x = half(normal("x", 2, 3, 8)).set_requires_grad(true);
            Tensor by = half(normal("up", 2, 3, 8)).set_requires_grad(true);
            Tensor h = Ops.to(normal("h", 2, 3, 6), ScalarType.Float).set_requires_grad(true);
            assumeThat(Products.sumsInFp32(x)).isTrue();

            ForwardPass pass = ForwardPass.training(Hooks.NONE);
            Tensor result = gated
                    ? LayerOps.add(pass, block, h, last, Activation.RELU, x, by, 0)
                    : LayerOps.add(pass, block, h, last, x, 0);
            Tensor read = gated ? half(wide(x).relu().mul(wide(by))) : x;
            Tensor expected = wide(h).add(Ops.linear(wide(read), wide(last.weight()), wide(half(normal("b", 6)))));
            assertThat(Tensors.doubles(wide(result)))
                    .containsExactly(Tensors.doubles(expected), Assertions.within(1e-5));

            Tensor gradient = Ops.to(normal("gradient", 2, 3, 6), ScalarType.Float);
            result.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
            pass.backward();
            assertThat(h.grad().equal(gradient)).isTrue();
            Tensor back = wide(half(gradient)).matmul(wide(last.weight()));
            Tensor positive = Ops.to(wide(x).gt(new Scalar(0.0)), ScalarType.Double);
            assertThat(Tensors.doubles(wide(x.grad())))
                    .containsExactly(
                            Tensors.doubles(gated ? back.mul(wide(by)).mul(positive) : back), Assertions.within(0.15));
            if (gated) {
                assertThat(Tensors.doubles(wide(by.grad())))
                        .containsExactly(Tensors.doubles(back.mul(wide(x).relu())), Assertions.within(0.15));
            }
        }
    }

    /** Nor does a gradient go where nothing learns; a loss that is compared with training's is made of the same. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatDoesNotLearnIsAddedAlike(boolean gated) {
        try (Scope scope = new Scope()) {
            Linear last = new Linear("last", Role.DOWN, 0, half(normal("w", 6, 8)), null);
            Block block = new Block("block", 0, Block.Kind.FEED_FORWARD, 6, null);
            Tensor x = half(normal("x", 2, 3, 8));
            Tensor by = half(normal("up", 2, 3, 8));
            Tensor h = Ops.to(normal("h", 2, 3, 6), ScalarType.Float);
            Tensor[] results = Stream.of(ForwardPass.training(Hooks.NONE), ForwardPass.evaluation(Hooks.NONE))
                    .map(pass -> gated
                            ? LayerOps.add(pass, block, h, last, Activation.RELU, x, by, 0)
                            : LayerOps.add(pass, block, h, last, x, 0))
                    .toArray(Tensor[]::new);
            assertThat(results[0].requires_grad()).isFalse();
            assertThat(results[0].equal(results[1])).isTrue();
        }
    }

    private static Tensor half(Tensor x) {
        return Ops.to(x, ScalarType.BFloat16);
    }

    private static Tensor wide(Tensor x) {
        return Ops.to(x.detach(), ScalarType.Double);
    }

    private static Tensor plain(Linear site, Tensor x) {
        return Ops.linear(x, site.weight(), site.bias());
    }

    private interface Taped {
        Tensor run(ForwardPass pass, Tensor h);
    }

    private static void same(Taped taped, Function<Tensor, Tensor> plain) {
        same(normal("h", 2, 3, 6), taped, plain);
    }

    private static void same(Tensor values, Taped taped, Function<Tensor, Tensor> plain) {
        try (Scope scope = new Scope()) {
            Tensor expected = values.clone().set_requires_grad(true);
            Tensor answer = plain.apply(expected);
            Tensor gradient = normal("gradient", Tensors.shape(answer));
            answer.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());

            Tensor h = values.clone().set_requires_grad(true);
            ForwardPass pass = ForwardPass.training(Hooks.NONE);
            Tensor result = taped.run(pass, h);
            assertThat(Tensors.doubles(result)).containsExactly(Tensors.doubles(answer), Assertions.within(1e-10));
            result.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
            pass.backward();
            assertThat(Tensors.doubles(h.grad()))
                    .containsExactly(Tensors.doubles(expected.grad()), Assertions.within(1e-10));
        }
    }
}
