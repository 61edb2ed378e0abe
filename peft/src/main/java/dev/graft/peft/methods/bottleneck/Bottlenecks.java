package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Block;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.methods.internal.AdapterHubFields;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** The parts that a {@link BottleneckConfig} adds to a base. */
final class Bottlenecks {
    private Bottlenecks() {}

    /** Declares the bottlenecks at every place. */
    static void graft(Grafter g, BottleneckConfig config) {
        AdapterHubFields.requireSome(config.leaveOut(), g.base());
        if (config.cross() && !g.base().isEncoderDecoder()) {
            throw new InputException("cross_adapter is true, but " + g.base().name()
                    + " has no decoder that attends to an encoder: expected false");
        }
        AdapterHubFields.requireLayers("reduction_factor", config.reductions().keySet(), g.base());
        Phm phm = config.phm();
        Phm.@Nullable Layers hypercomplex = phm == null ? null : phm.new Layers(g);
        for (Site site : g.base().sites()) {
            if (site instanceof Block block && wants(config, block, g.base())) {
                g.add(block, BottleneckLayer.of(g, block, config, hypercomplex));
                Norm norm = block.norm();
                if (!config.norms().after() && norm != null) {
                    g.add(norm, new Effect.Skip());
                }
            }
        }
        AdditiveCoupling coupling = config.coupling();
        if (coupling != null) {
            coupling.graft(g, config.activation());
        }
    }

    /** Declares trained copies of the parameters of every layer norm, except in excluded layers. */
    static void graftNorms(Grafter g, List<Integer> leaveOut) {
        for (Site site : g.base().sites()) {
            if (site instanceof Norm norm
                    && !g.isSavedWhole(norm)
                    && !leaveOut.contains(AdapterHubFields.layer(norm, g.base()))) {
                Tensor bias = norm.bias();
                g.add(
                        norm,
                        new Effect.Replace(
                                g.parameter(
                                        norm,
                                        "weight",
                                        Initializer.copy(norm.weight()),
                                        norm.weight().numel()),
                                bias == null ? null : g.parameter(norm, "bias", Initializer.copy(bias), bias.numel())));
            }
        }
    }

    /** Returns whether there is a bottleneck after the block. */
    private static boolean wants(BottleneckConfig config, Block block, Base base) {
        boolean place = switch (block.kind()) {
            case ATTENTION -> config.attention();
            case CROSS_ATTENTION -> config.cross();
            case FEED_FORWARD -> config.feedForward();
        };
        return place && !config.leaveOut().contains(AdapterHubFields.layer(block, base));
    }
}
