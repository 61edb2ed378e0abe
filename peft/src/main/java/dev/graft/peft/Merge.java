package dev.graft.peft;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.matrices.DenseMatrix;
import dev.graft.models.matrices.GroupedInt4Matrix;
import dev.graft.models.matrices.QuantizedMatrix;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/** Merges adapters into a base's weights. The base itself stays unchanged: the result is a new one. */
public final class Merge {
    private Merge() {}

    /**
     * Returns the base with one adapter merged.
     *
     * @throws InputException if the adapter can't be merged
     */
    public static Base merge(Adapter adapter) {
        return merge(adapter.base(), Selection.of(adapter));
    }

    /**
     * The treatment of quantised matrices in a merge.
     *
     * @see #merge(Base, Selection, QuantizedPolicy)
     */
    public enum QuantizedPolicy {
        /** Merging into them is refused, since it would lose precision of the adapter. */
        REFUSE,
        /** All matrices become unquantised; the unchanged ones keep their values. */
        DEQUANTIZE,
        /** The changed matrices are quantised again. */
        REQUANTIZE
    }

    /**
     * A merged base.
     *
     * @param relativeErrors the loss of requantisation by parameter: the Frobenius norm of the difference, relative to that of the exact values
     */
    public record Merged(Base base, Map<String, Double> relativeErrors) {}

    /**
     * Returns the base with a selection merged. If a changed embedding is tied to an unchanged head, or the other way round, the two are untied.
     *
     * @throws InputException if an adapter has effects that can't be merged, or adapts quantised weights
     */
    public static Base merge(Base base, Selection selection) {
        return merge(base, selection, QuantizedPolicy.REFUSE).base();
    }

    /** Merges a selection, also into quantised matrices. */
    public static Merged merge(Base base, Selection selection, QuantizedPolicy policy) {
        AdapterStack stack = new AdapterStack(selection.stack());
        refuseOthers(base, stack);
        Map<String, Tensor> changed = new LinkedHashMap<>();
        Map<String, QuantizedMatrix> moved = new LinkedHashMap<>();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            for (Site site : base.sites()) {
                boolean untouched = stack.adapters().stream()
                        .allMatch(active -> active.effects(site).isEmpty());
                if (untouched) {
                    continue;
                }
                refuseNonlinear(site, stack);
                QuantizedMatrix sum = policy == QuantizedPolicy.DEQUANTIZE ? null : sum(site, stack, scope);
                if (sum != null) {
                    moved.put(base.weightName((Linear) site), sum);
                    continue;
                }
                if (policy == QuantizedPolicy.REFUSE) {
                    refuseQuantized(site);
                }
                if (site instanceof Projection layer) {
                    put(base, site, layer, stack.layer(site, layer), changed, scope);
                } else if (site instanceof Embedding embedding) {
                    refusePrompt(site, stack);
                    put(base, site, embedding, stack.layer(site, embedding), changed, scope);
                } else if (site instanceof Experts experts) {
                    put(base, experts.weight(), experts.stored(merged(experts, stack)), changed, scope);
                } else if (site instanceof Norm norm) {
                    Norm replaced = stack.norm(norm);
                    put(base, norm.weight(), replaced.weight(), changed, scope);
                    if (norm.bias() != null && replaced.bias() != null) {
                        put(base, norm.bias(), replaced.bias(), changed, scope);
                    }
                } else {
                    throw unmergeable(site, stack);
                }
            }
            untie(base, changed);
            return policy == QuantizedPolicy.DEQUANTIZE
                    ? new Merged(base.dequantized(changed), Map.of())
                    : requantized(base, changed, moved);
        }
    }

    /** Returns the quantised matrix with updates that it absorbs without rounding, or null. */
    private static @Nullable QuantizedMatrix sum(Site site, AdapterStack stack, Scope scope) {
        boolean updates = stack.adapters().stream()
                .flatMap(active -> active.effects(site).stream())
                .allMatch(effect -> effect instanceof Effect.Delta delta && delta.bias() == null);
        if (!updates || !(site instanceof Linear linear && linear.matrix() instanceof GroupedInt4Matrix matrix)) {
            return null;
        }
        DenseMatrix nothing = new DenseMatrix(Tensors.zeros(ScalarType.Float, linear.out(), linear.in()));
        Linear beside = new Linear(linear.name(), linear.role(), linear.layer(), nothing, null, linear.transposed());
        QuantizedMatrix sum = matrix.plus(stack.layer(site, beside).weight());
        if (sum != null) {
            sum.parts().forEach(scope::release);
        }
        return sum;
    }

    private static Merged requantized(Base base, Map<String, Tensor> changed, Map<String, QuantizedMatrix> moved) {
        Map<String, QuantizedMatrix> again = new LinkedHashMap<>(moved);
        Map<String, Double> lost = new LinkedHashMap<>();
        for (Site site : base.sites()) {
            if (site instanceof Linear linear && linear.matrix() instanceof QuantizedMatrix matrix) {
                String name = base.weightName(linear);
                Tensor stored = changed.remove(name);
                if (stored != null) {
                    Tensor exact = linear.stored(stored);
                    QuantizedMatrix fresh = matrix.requantize(exact);
                    again.put(name, fresh);
                    lost.put(name, distance(fresh.values(), exact));
                }
            }
        }
        return new Merged(base.withParameters(changed, again), lost);
    }

    private static double distance(Tensor found, Tensor exact) {
        try (Scope scope = new Scope()) {
            Tensor wanted = Ops.to(exact, ScalarType.Double);
            double norm = Tensors.item(wanted.norm());
            return norm == 0
                    ? 0
                    : Tensors.item(Ops.to(found, ScalarType.Double).sub(wanted).norm()) / norm;
        }
    }

    private static void refuseOthers(Base base, AdapterStack stack) {
        for (ActiveAdapter active : stack.adapters()) {
            String method = active.adapter().method().type().name();
            if (active.adapter().base() != base) {
                throw new InputException("the adapter (" + method + ") was made for another base object than this one");
            }
            if (base.hasReorderedLayers()) {
                throw new InputException(method + " can't be merged with layer_replication: layers that share their"
                        + " weights have different updates; use the adapter beside the base");
            }
        }
    }

    private static void put(
            Base base, Site site, Affine frozen, Affine adapted, Map<String, Tensor> changed, Scope scope) {
        Linear head = base.head().output();
        String weight = site == head && isTied(base) ? head.name() + ".weight" : base.weightName(frozen);
        Tensor before = frozen.weight();
        Tensor merged = adapted.weight();
        Tensor fresh = site instanceof Linear linear ? linear.stored(merged) : merged;
        if (!(site instanceof Linear linear && linear.isQuantized())) {
            if (merged != before) {
                store(weight, before, fresh, changed, scope);
            }
        } else if (!Ops.to(merged, before.scalar_type()).equal(before)) {
            changed.put(weight, scope.release(fresh.detach().clone()));
        }
        Tensor bias = adapted.bias();
        if (bias == null) {
            return;
        }
        Tensor old = frozen.bias();
        if (old == null) {
            throw new InputException(site.name() + " has no bias in the base, but the adapter adds one:"
                    + " it can't be merged; use the adapter beside the base");
        }
        store(base.nameOf(old), old, bias, changed, scope);
    }

    private static Tensor merged(Experts site, AdapterStack stack) {
        Tensor[] each = new Tensor[Math.toIntExact(site.count())];
        for (int expert = 0; expert < each.length; expert++) {
            each[expert] = stack.expert(site, expert).weight().unsqueeze(0);
        }
        return Ops.cat(0, each);
    }

    private static void put(Base base, Tensor old, Tensor fresh, Map<String, Tensor> changed, Scope scope) {
        store(base.nameOf(old), old, fresh, changed, scope);
    }

    private static void store(String name, Tensor old, Tensor fresh, Map<String, Tensor> changed, Scope scope) {
        if (fresh != old) {
            changed.put(
                    name,
                    scope.release(Ops.to(fresh, old.scalar_type()).detach().clone()));
        }
    }

    private static boolean isTied(Base base) {
        return tied(base) != null;
    }

    private static @Nullable Embedding tied(Base base) {
        Linear head = base.head().output();
        if (head != null) {
            for (Site site : base.sites()) {
                if (site instanceof Embedding embedding && embedding.weight().equals(head.weight())) {
                    return embedding;
                }
            }
        }
        return null;
    }

    private static void untie(Base base, Map<String, Tensor> changed) {
        Embedding embedding = tied(base);
        Linear head = base.head().output();
        if (embedding == null || head == null) {
            return;
        }
        String embeddingName = base.nameOf(embedding.weight());
        String headName = head.name() + ".weight";
        if (changed.containsKey(embeddingName) && !changed.containsKey(headName)) {
            changed.put(headName, head.weight());
        }
    }

    private static void refusePrompt(Site site, AdapterStack stack) {
        for (ActiveAdapter active : stack.adapters()) {
            if (active.effects(site).stream().anyMatch(Effect.Prompt.class::isInstance)) {
                throw unmergeable(site, stack);
            }
        }
    }

    private static void refuseNonlinear(Site site, AdapterStack stack) {
        for (ActiveAdapter active : stack.adapters()) {
            for (Effect effect : active.effects(site)) {
                if (effect instanceof Effect.Delta delta && delta.weight() == null) {
                    throw unmergeable(site, new AdapterStack(List.of(active)));
                }
            }
        }
    }

    private static void refuseQuantized(Site site) {
        if (site instanceof Linear linear && linear.matrix() instanceof QuantizedMatrix matrix) {
            throw new InputException(site.name() + " is kept in " + matrix.kind() + ": a merge would lose digits of"
                    + " the adapter; dequantise"
                    + " (--dequantize), quantise again"
                    + " all the same (--requantize), or"
                    + " use the adapter beside the"
                    + " base");
        }
    }

    private static InputException unmergeable(Site site, AdapterStack stack) {
        String method = stack.adapters().stream()
                .filter(active -> !active.effects(site).isEmpty())
                .map(active -> active.adapter().method().type().name())
                .findFirst()
                .orElse("");
        return new InputException(method + " can't be merged: what it does at " + site.name()
                + " isn't a change of weights; use the adapter beside the base");
    }
}
