package dev.graft.peft;

import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Attention;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Site;
import dev.graft.models.sites.Stream;
import dev.graft.tensor.Ops;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/** A sequence of adapters for the same rows: their effects at a site, each with its strength. */
record AdapterStack(List<ActiveAdapter> adapters) {
    /** A function that applies one effect to hidden states. */
    interface Step<E> {
        Tensor apply(E effect, Tensor h);
    }

    /**
     * Returns whether there is any effect at a site. A prefix in one attention layer counts for all layers of its kind, which reserve space for
     * it.
     */
    boolean actsOn(Site site) {
        for (ActiveAdapter active : adapters) {
            if (!active.effects(site).isEmpty()
                    || site instanceof Attention attention && active.prefixLength(attention) > 0) {
                return true;
            }
        }
        return false;
    }

    /** Returns their look-aheads, in order. */
    List<LookAhead> lookAheads() {
        return adapters.stream().flatMap(active -> active.lookAheads().stream()).toList();
    }

    /** Returns whether their effects at a site, if any, only add to a layer's output. */
    boolean onlyAdds(Site site) {
        return adapters.stream()
                .allMatch(active -> active.effects(site).stream().allMatch(Effect.Delta.class::isInstance));
    }

    /**
     * Returns whether their only effect at a site is a prompt before the embeddings or a prefix before keys, equal for every text and without
     * training targets.
     */
    boolean onlyPrepends(Site site) {
        return !(site instanceof Stream)
                && adapters.stream()
                        .flatMap(active -> active.effects(site).stream())
                        .allMatch(Effect::isCommonPrefix);
    }

    /** Returns their effects of a kind at a site, in order. */
    <E extends Effect> List<E> effects(Site site, Class<E> kind) {
        List<E> effects = new ArrayList<>();
        for (ActiveAdapter active : adapters) {
            for (Effect effect : active.effects(site)) {
                if (kind.isInstance(effect)) {
                    effects.add(kind.cast(effect));
                }
            }
        }
        return effects;
    }

    /** Returns a layer with all effects. */
    Affine layer(Site site, Affine frozen) {
        return layer(site, frozen, UnaryOperator.identity());
    }

    /** Returns one expert's layer with all effects. */
    Affine expert(Experts site, int expert) {
        return layer(
                site,
                site.at(expert),
                effect -> effect instanceof Effect.EachExpert each ? each.of().apply(expert) : effect);
    }

    private Affine layer(Site site, Affine frozen, UnaryOperator<Effect> seen) {
        Affine layer = frozen;
        for (ActiveAdapter active : adapters) {
            Affine before = layer;
            for (Effect effect : active.effects(site)) {
                if (!(effect instanceof Effect.Prompt)) {
                    layer = AdaptedLayer.of(site, layer, seen.apply(effect));
                }
            }
            if (active.strength() != 1 && layer != before) {
                layer = new AdaptedLayer.Blend(before, layer, active.strength());
            }
        }
        return layer;
    }

    /** Returns a norm with the adapters' parameters. */
    Norm norm(Norm site) {
        Norm norm = site;
        for (ActiveAdapter active : adapters) {
            for (Effect effect : active.effects(site)) {
                if (effect instanceof Effect.Skip) {
                    continue;
                }
                if (!(effect instanceof Effect.Replace replace)) {
                    throw new IllegalStateException(site.name() + " can't have the effect " + effect);
                }
                norm = norm.with(
                        blend(norm.weight(), replace.weight(), active.strength()),
                        norm.bias() == null ? null : blend(norm.bias(), replace.bias(), active.strength()));
            }
        }
        return norm;
    }

    /** Applies a norm with all effects to x {@code [..., hidden]}. */
    Tensor applyNorm(Norm site, Tensor x) {
        Tensor y = norm(site).apply(x);
        for (ActiveAdapter active : adapters) {
            if (active.effects(site).stream().anyMatch(Effect.Skip.class::isInstance)) {
                y = blend(y, x, active.strength());
            }
        }
        return y;
    }

    /** Applies the effects of a kind to hidden states, in order. */
    <E extends Effect> Tensor applyEffects(Site site, Class<E> kind, Tensor start, Step<E> step) {
        Tensor h = start;
        for (ActiveAdapter active : adapters) {
            for (Effect effect : active.effects(site)) {
                if (kind.isInstance(effect)) {
                    h = blend(h, step.apply(kind.cast(effect), h), active.strength());
                }
            }
        }
        return h;
    }

    /** Undoes the effect of whole interventions on the stream into the first layer. */
    Tensor undo(Stream site, Tensor rows) {
        Tensor h = rows;
        for (int i = adapters.size() - 1; i >= 0; i--) {
            ActiveAdapter active = adapters.get(i);
            for (Effect effect : active.effects(site)) {
                if (active.strength() == 1 && effect instanceof Effect.Intervene intervene) {
                    h = intervene.undo(h);
                }
            }
        }
        return h;
    }

    private static Tensor blend(Tensor from, @Nullable Tensor to, double strength) {
        if (to == null) {
            return from;
        }
        return strength == 1 ? to : Ops.addScaled(from, to.sub(from), strength);
    }
}
