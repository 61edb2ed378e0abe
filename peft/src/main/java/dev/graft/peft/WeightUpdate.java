package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.tensor.Numerics;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The change of one layer by an adapter, {@code (W + ΔW) x + b + Δb}, in fp64.
 *
 * @param site a linear layer, an ungrouped convolution or an embedding
 * @param weight ΔW with a row for each output ({@code [out, in]}; a convolution's kernels are flattened)
 * @param factors B and A with {@code ΔW = B A}, if the adapter has them
 * @param bias Δb {@code [out]}, or null
 */
public record WeightUpdate(
        Site site,
        Tensor weight,
        @Nullable Factors factors,
        @Nullable Tensor bias) {

    /**
     * Returns the sites whose weights an adapter changes, without modules that it saves whole.
     *
     * @throws InputException if it has other effects
     */
    public static List<Site> sites(Adapter adapter) {
        if (adapter.base().hasReorderedLayers()) {
            throw new InputException(name(adapter) + ": with layer_replication layers that share their weights have"
                    + " different updates; they can't be taken out of the adapter");
        }
        List<Site> sites = new ArrayList<>();
        for (Site site : adapter.sites()) {
            if (!adapter.config().savesWhole(site.name())) {
                if (site instanceof Experts) {
                    throw new InputException(name(adapter) + " adapts " + site.name()
                            + " of a mixture (target_parameters), which is an update of each expert and none of one"
                            + " layer: it can't be combined or converted; `graft merge` makes it part of the base");
                }
                if (!isLayer(site)) {
                    throw new InputException(
                            name(adapter) + " can't be merged into one update of weights: it also changes "
                                    + site.name() + ", which is no linear layer, ungrouped convolution or embedding");
                }
                sites.add(site);
            }
        }
        return sites;
    }

    /**
     * Returns the update at a site, or null if the adapter has no effect there.
     *
     * @throws InputException if the effect isn't a change of weights, or the base's precision is too low to determine it
     */
    public static @Nullable WeightUpdate of(Adapter adapter, Site site) {
        List<Effect> effects = adapter.effects(site);
        if (effects.isEmpty()) {
            return null;
        }
        Affine frozen = (Affine) site;
        return effects.stream().allMatch(Effect.Delta.class::isInstance)
                ? sum(adapter, site, effects)
                : difference(adapter, site, frozen);
    }

    /** Returns whether the adapter's update at a site is a product of two narrow matrices. */
    public static boolean hasFactors(Adapter adapter, Site site) {
        return adapter.effects(site).stream()
                .anyMatch(effect -> effect instanceof Effect.Delta delta && delta.factors() != null);
    }

    /** Updates beside the layer add up; the layer itself isn't needed. */
    private static WeightUpdate sum(Adapter adapter, Site site, List<Effect> effects) {
        Tensor weight = null;
        Tensor bias = null;
        for (Effect effect : effects) {
            Effect.Delta delta = (Effect.Delta) effect;
            Tensor change = delta.weight();
            if (change == null) {
                throw new InputException(name(adapter) + " can't be merged: what it does at " + site.name()
                        + " isn't a change of weights");
            }
            weight = plus(weight, inDouble(change).flatten(1, -1));
            bias = delta.bias() == null ? bias : plus(bias, inDouble(Objects.requireNonNull(delta.bias())));
        }
        Factors factors = effects.size() == 1 ? ((Effect.Delta) effects.get(0)).factors() : null;
        return new WeightUpdate(
                site,
                Objects.requireNonNull(weight),
                factors == null ? null : new Factors(inDouble(factors.a()), inDouble(factors.b())),
                bias);
    }

    private static WeightUpdate difference(Adapter adapter, Site site, Affine frozen) {
        if (adapter.base().numerics().equals(Numerics.BF16)) {
            throw new InputException("the base is in bf16, which is too coarse to tell the update of " + name(adapter)
                    + ": load it in fp32");
        }
        Affine adapted = new AdapterStack(List.of(new ActiveAdapter(adapter, 1))).layer(site, frozen);
        Tensor weight =
                inDouble(adapted.weight()).sub(inDouble(frozen.weight())).flatten(1, -1);
        Tensor old = frozen.bias();
        Tensor fresh = adapted.bias();
        Tensor bias = fresh == null
                ? null
                : old == null ? inDouble(fresh) : inDouble(fresh).sub(inDouble(old));
        return new WeightUpdate(site, weight, null, bias);
    }

    private static boolean isLayer(Site site) {
        boolean grouped = site instanceof Convolution convolution
                && convolution.geometry().groups() > 1;
        return site instanceof Embedding || site instanceof Projection && !grouped;
    }

    private static Tensor plus(@Nullable Tensor sum, Tensor part) {
        return sum == null ? part : sum.add(part);
    }

    private static Tensor inDouble(Tensor x) {
        return Ops.to(x.detach(), ScalarType.Double);
    }

    private static String name(Adapter adapter) {
        return adapter.method().type().name();
    }
}
