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

/** Adapters that act one after the other on the same rows: what their effects make of a site, each with its strength. */
record Stack(List<Selection.Active> adapters) {
    /** What one effect makes of hidden states. */
    interface Step<E> {
        Tensor apply(E effect, Tensor h);
    }

    /** Whether anything happens at a site. Where one attention layer has a prefix all of its kind have room for it. */
    boolean actsOn(Site site) {
        for (Selection.Active active : adapters) {
            if (!active.effects(site).isEmpty()
                    || site instanceof Attention attention && active.prefixLength(attention) > 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether all that they do at a site, if anything, is to add to a layer's answer. */
    boolean onlyAdds(Site site) {
        return adapters.stream()
                .allMatch(active -> active.effects(site).stream().allMatch(Effect.Delta.class::isInstance));
    }

    /**
     * Whether all that they do at a site is to put the same before every text, a prompt before the embeddings or a prefix before keys, at which nothing
     * is predicted.
     */
    boolean onlyPrepends(Site site) {
        return !(site instanceof Stream)
                && adapters.stream()
                        .flatMap(active -> active.effects(site).stream())
                        .allMatch(Effect::isBeforeAll);
    }

    /** What they do at a site that is of a kind, in order. */
    <E extends Effect> List<E> effects(Site site, Class<E> kind) {
        List<E> effects = new ArrayList<>();
        for (Selection.Active active : adapters) {
            for (Effect effect : active.effects(site)) {
                if (kind.isInstance(effect)) {
                    effects.add(kind.cast(effect));
                }
            }
        }
        return effects;
    }

    /** A layer with all effects. */
    Affine layer(Site site, Affine frozen) {
        return layer(site, frozen, UnaryOperator.identity());
    }

    /** One expert's layer with all effects. */
    Affine expert(Experts site, int expert) {
        return layer(
                site,
                site.at(expert),
                effect -> effect instanceof Effect.EachExpert each ? each.of().apply(expert) : effect);
    }

    private Affine layer(Site site, Affine frozen, UnaryOperator<Effect> seen) {
        Affine layer = frozen;
        for (Selection.Active active : adapters) {
            Affine before = layer;
            for (Effect effect : active.effects(site)) {
                if (!(effect instanceof Effect.Prompt)) {
                    layer = Composed.of(site, layer, seen.apply(effect));
                }
            }
            if (active.strength() != 1 && layer != before) {
                layer = new Composed.Blend(before, layer, active.strength());
            }
        }
        return layer;
    }

    /** A norm with other parameters. */
    Norm norm(Norm site) {
        Norm norm = site;
        for (Selection.Active active : adapters) {
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

    /** What a norm with all effects gives for x {@code [..., hidden]}. */
    Tensor normalised(Norm site, Tensor x) {
        Tensor y = norm(site).apply(x);
        for (Selection.Active active : adapters) {
            if (active.effects(site).stream().anyMatch(Effect.Skip.class::isInstance)) {
                y = blend(y, x, active.strength());
            }
        }
        return y;
    }

    /** What the effects of a kind make of hidden states, in their order. */
    <E extends Effect> Tensor each(Site site, Class<E> kind, Tensor start, Step<E> step) {
        Tensor h = start;
        for (Selection.Active active : adapters) {
            for (Effect effect : active.effects(site)) {
                if (kind.isInstance(effect)) {
                    h = blend(h, step.apply(kind.cast(effect), h), active.strength());
                }
            }
        }
        return h;
    }

    /** Takes back what whole interventions do to the stream into the first layer. */
    Tensor undone(Stream site, Tensor rows) {
        Tensor h = rows;
        for (int i = adapters.size() - 1; i >= 0; i--) {
            Selection.Active active = adapters.get(i);
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
