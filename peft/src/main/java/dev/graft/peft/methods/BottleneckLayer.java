package dev.graft.peft.methods;

import dev.graft.models.Activation;
import dev.graft.models.Pass;
import dev.graft.models.sites.Block;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initial;
import dev.graft.peft.methods.BottleneckConfig.Norms;
import dev.graft.peft.methods.BottleneckConfig.Residual;
import dev.graft.tensor.Dropout;
import dev.graft.tensor.Ops;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** One bottleneck of a {@link BottleneckConfig}: what is added to the residual stream in place of a block's output. */
record BottleneckLayer(
        BottleneckConfig config,
        Activation activation,
        @Nullable Own before,
        Projection down,
        Projection up,
        @Nullable Tensor scaling,
        @Nullable Gate gate,
        @Nullable Own after)
        implements Effect.Bottleneck {

    /** A layer norm of the adapter's own, with PyTorch's epsilon. */
    private record Own(Tensor weight, Tensor bias) {
        static Own of(Grafter g, String key, long hidden) {
            return new Own(
                    g.parameter(key + ".weight", Initial.ONES, hidden),
                    g.parameter(key + ".bias", Initial.ZEROS, hidden));
        }

        Tensor apply(Tensor x) {
            return Ops.layerNorm(x, weight, bias, 1e-5);
        }
    }

    /** Declares one behind a block; D and U are hypercomplex if what declares those is given. */
    static BottleneckLayer of(Grafter g, Block block, BottleneckConfig c, Phm.@Nullable Layers hypercomplex) {
        String at = block.name() + ".adapters.*.";
        long hidden = block.hidden();
        long m = c.size(block, g.base());
        // AdapterHub's file counts the parts of what goes down: an own norm first, then D.
        String downKey = at + (c.norms().ownBefore() ? "adapter_down.1" : "adapter_down.0");
        String upKey = at + "adapter_up";
        Own before = c.norms().ownBefore() ? Own.of(g, at + "adapter_down.0", hidden) : null;
        Projection down;
        Projection up;
        if (hypercomplex == null) {
            boolean mam = c.start() == BottleneckConfig.Start.MAM_ADAPTER;
            down = dense(g, downKey, mam ? Initial.KAIMING : start(c), m, hidden);
            up = dense(g, upKey, mam ? Initial.ZEROS : start(c), hidden, m);
        } else {
            down = hypercomplex.projection(downKey, true, hidden, m);
            up = hypercomplex.projection(upKey, false, m, hidden);
        }
        BottleneckConfig.Scaling s = c.scaling();
        boolean plainGate = c.start() == BottleneckConfig.Start.HOULSBY;
        return new BottleneckLayer(
                c,
                AdapterHubFields.activation(c.activation()),
                before,
                down,
                up,
                s.trained() ? g.parameter(at + "scaling", Initial.ONES, s.byChannel() ? hidden : 1) : null,
                c.gated()
                        ? Gate.of(
                                g,
                                at + "gate",
                                1,
                                hidden,
                                plainGate ? Initial.KAIMING : Initial.normal(0.02),
                                plainGate ? Initial.uniform(1 / Math.sqrt(hidden)) : Initial.ZEROS)
                        : null,
                c.norms().ownAfter() ? Own.of(g, at + "adapter_norm_after", hidden) : null);
    }

    private static Initial start(BottleneckConfig c) {
        return c.start() == BottleneckConfig.Start.HOULSBY ? Initial.truncatedNormal(0.01) : Initial.normal(0.02);
    }

    private static Projection dense(Grafter g, String key, Initial start, long out, long in) {
        return new Projection.Dense(
                g.parameter(key + ".weight", start, out, in), g.parameter(key + ".bias", Initial.ZEROS, out));
    }

    @Override
    public Tensor apply(Tensor residual, Tensor output, UnaryOperator<Tensor> norm, Pass pass) {
        Tensor z = input(residual, output, norm);
        Tensor a = gated(Ops.dropout(up(z, pass), config.dropout(), pass.isTraining()), z);
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
    Tensor up(Tensor z, Pass pass) {
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

    /** What A's result is added to. */
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
