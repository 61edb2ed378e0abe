package dev.graft.peft.methods.bottleneck;

import dev.graft.models.functions.Activation;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.PassView;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Norms;
import dev.graft.peft.methods.bottleneck.BottleneckConfig.Residual;
import dev.graft.peft.methods.internal.AdapterHubFields;
import dev.graft.peft.methods.internal.Gate;
import dev.graft.tensor.Ops;
import dev.graft.tensor.ops.Dropout;
import dev.graft.tensor.ops.FusedNorm;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** One bottleneck of a {@link BottleneckConfig}: what is added to the residual stream in place of a block's output. */
record BottleneckLayer(
        BottleneckConfig config,
        Activation activation,
        @Nullable OwnNorm before,
        BottleneckProjection down,
        BottleneckProjection up,
        @Nullable Tensor scaling,
        @Nullable Gate gate,
        @Nullable OwnNorm after)
        implements Effect.Bottleneck {

    /** A layer norm of the adapter's own, with PyTorch's epsilon. */
    private record OwnNorm(Tensor weight, Tensor bias) {
        static OwnNorm of(Grafter g, String key, long hidden) {
            return new OwnNorm(
                    g.parameter(key + ".weight", Initializer.ONES, hidden),
                    g.parameter(key + ".bias", Initializer.ZEROS, hidden));
        }

        Tensor apply(Tensor x) {
            return FusedNorm.layerNorm(x, weight, bias, 1e-5);
        }
    }

    /** Declares one after a block; D and U are hypercomplex if {@code hypercomplex} isn't null. */
    static BottleneckLayer of(Grafter g, Block block, BottleneckConfig c, Phm.@Nullable Layers hypercomplex) {
        String at = block.name() + ".adapters.*.";
        long hidden = block.hidden();
        long m = c.size(block, g.base());
        // AdapterHub's file counts the parts of what goes down: an own norm first, then D.
        String downKey = at + (c.norms().ownBefore() ? "adapter_down.1" : "adapter_down.0");
        String upKey = at + "adapter_up";
        OwnNorm before = c.norms().ownBefore() ? OwnNorm.of(g, at + "adapter_down.0", hidden) : null;
        BottleneckProjection down;
        BottleneckProjection up;
        if (hypercomplex == null) {
            boolean mam = c.init() == BottleneckConfig.Init.MAM_ADAPTER;
            down = dense(g, downKey, mam ? Initializer.KAIMING : start(c), m, hidden);
            up = dense(g, upKey, mam ? Initializer.ZEROS : start(c), hidden, m);
        } else {
            down = hypercomplex.projection(downKey, true, hidden, m);
            up = hypercomplex.projection(upKey, false, m, hidden);
        }
        BottleneckConfig.Scaling s = c.scaling();
        boolean plainGate = c.init() == BottleneckConfig.Init.HOULSBY;
        return new BottleneckLayer(
                c,
                AdapterHubFields.activation(c.activation()),
                before,
                down,
                up,
                s.trained() ? g.parameter(at + "scaling", Initializer.ONES, s.byChannel() ? hidden : 1) : null,
                c.gated()
                        ? Gate.of(
                                g,
                                at + "gate",
                                1,
                                hidden,
                                plainGate ? Initializer.KAIMING : Initializer.normal(0.02),
                                plainGate ? Initializer.uniform(1 / Math.sqrt(hidden)) : Initializer.ZEROS)
                        : null,
                c.norms().ownAfter() ? OwnNorm.of(g, at + "adapter_norm_after", hidden) : null);
    }

    private static Initializer start(BottleneckConfig c) {
        return c.init() == BottleneckConfig.Init.HOULSBY ? Initializer.truncatedNormal(0.01) : Initializer.normal(0.02);
    }

    private static BottleneckProjection dense(Grafter g, String key, Initializer initializer, long out, long in) {
        return new BottleneckProjection.Dense(
                g.parameter(key + ".weight", initializer, out, in), g.parameter(key + ".bias", Initializer.ZEROS, out));
    }

    @Override
    public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, PassView pass) {
        Tensor z = input(residual, output, norm);
        Tensor a = gated(Dropout.apply(up(z, pass), config.dropout(), pass.isTraining()), z);
        return added(residual, output, z, a);
    }

    /** z. */
    Tensor input(Tensor residual, Tensor output, UnaryOperator<Tensor> norm) {
        if (config.parallel()) {
            return residual;
        }
        return config.normed() ? norm.apply(residual.add(output)) : output;
    }

    /** A(z) before dropout and gate. */
    Tensor up(Tensor z, PassView pass) {
        Tensor inside = before == null ? z : before.apply(z);
        Tensor a = up.apply(activation.apply(down.apply(inside)));
        double p = config.stochasticDepth();
        if (pass.isTraining() && p > 0) {
            a = a.mul(Dropout.mask(a.scalar_type(), p, a.size(0), 1, 1));
        }
        if (scaling != null) {
            return a.mul(scaling);
        }
        return config.scaling().value() == 1 ? a : Ops.scale(a, config.scaling().value());
    }

    private Tensor gated(Tensor a, Tensor z) {
        return gate == null ? a : a.mul(gate.of(z));
    }

    private Tensor added(Tensor residual, Tensor output, Tensor z, Tensor a) {
        Tensor skip = skip(residual, output, z);
        Tensor y;
        if (after == null) {
            y = skip.add(a);
        } else if (config.norms().residualInside() && !config.parallel()) {
            y = after.apply(skip.add(a));
        } else {
            y = skip.add(after.apply(a));
        }
        return finished(residual, y);
    }

    /** Returns the tensor that A's result is added to. */
    Tensor skip(Tensor residual, Tensor output, Tensor z) {
        Norms norms = config.norms();
        if (config.parallel() || !config.normed() || norms.residual() == Residual.OUTPUT) {
            return output;
        }
        return norms.residual() == Residual.SUM ? residual.add(output) : z;
    }

    /** The residual stream isn't added to what is already whole. */
    Tensor finished(Tensor residual, Tensor y) {
        return config.norms().after() ? y : y.sub(residual);
    }
}
