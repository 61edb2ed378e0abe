package dev.graft.peft.methods.selective;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Affine;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.PassView;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.tensor.Ops;
import dev.graft.tensor.Tensors;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Training of the base's own parameters, the common part of full fine-tuning and its selective variants. Each has its name in the base and starts
 * as a copy. A parameter shared by two layers, such as a tied embedding, is trained once.
 */
final class FullParameterTuning {
    private FullParameterTuning() {}

    /** Trains the parameters of these sites, except modules that are saved whole in any case. */
    static void graft(Grafter g, Predicate<Site> wanted) {
        Map<String, Tensor> made = new HashMap<>();
        for (Site site : g.base().sites()) {
            if (g.isSavedWhole(site) || !g.base().task().reads(site) || !wanted.test(site)) {
                continue;
            }
            if (site instanceof Experts) {
                throw new InputException(site.name() + " holds experts, whose weights can't be trained whole yet;"
                        + " lora and the other methods for linear layers fit this base");
            }
            if (site instanceof Linear linear) {
                Tensor weight = linear.wholeWeight();
                g.add(site, new Trained(site, weight, parameter(g, weight, made)));
                if (linear.bias() != null) {
                    g.add(site, new Effect.Replace(null, parameter(g, linear.bias(), made)));
                }
            } else if (site instanceof Embedding table) {
                g.add(site, new Trained(site, table.weight(), parameter(g, table.weight(), made)));
            } else if (site instanceof Norm norm) {
                g.add(
                        site,
                        new Effect.Replace(
                                parameter(g, norm.weight(), made),
                                norm.bias() == null ? null : parameter(g, norm.bias(), made)));
            }
        }
    }

    /** The weights of the embeddings. */
    static Set<Tensor> tables(Base base) {
        Set<Tensor> tables = new HashSet<>();
        for (Site site : base.sites()) {
            if (site instanceof Embedding table) {
                tables.add(table.weight());
            }
        }
        return tables;
    }

    /** Returns whether a site is an embedding, or a head whose weight is one. */
    static boolean isTable(Site site, Set<Tensor> tables) {
        return site instanceof Embedding
                || site instanceof Linear linear && !linear.isQuantized() && tables.contains(linear.weight());
    }

    private static Tensor parameter(Grafter g, Tensor frozen, Map<String, Tensor> made) {
        String name = g.base().nameOf(frozen);
        Tensor known = made.get(name);
        if (known == null) {
            known = g.parameter(name, Initializer.copy(frozen), Tensors.shape(frozen));
            made.put(name, known);
        }
        return known;
    }

    /** Another value for the weight; on top of other adapters its difference from the base's. */
    private record Trained(Site site, Tensor frozen, Tensor fresh) implements Effect.Reweight {
        @Override
        public Tensor weight(Tensor weight) {
            return weight.equals(frozen) ? fresh : weight.add(fresh.sub(frozen));
        }

        @Override
        public Tensor apply(Affine inner, Tensor x, PassView pass) {
            ScalarType type = frozen.scalar_type();
            if (inner.weight().equals(frozen)) {
                return times(Ops.to(fresh, type), x, inner.bias());
            }
            Tensor y = inner.apply(x, pass);
            return y.add(Ops.to(times(Ops.to(fresh.sub(frozen), type), x, null), y.scalar_type()));
        }

        private Tensor times(Tensor weight, Tensor x, @Nullable Tensor bias) {
            return site instanceof Embedding table
                    ? Ops.embedding(weight, x, table.padding())
                    : Ops.linear(
                            Ops.to(x, weight.scalar_type()),
                            weight,
                            bias == null ? null : Ops.to(bias, weight.scalar_type()));
        }
    }

    /**
     * Returns the sites of a base in groups, from the input to the output: those before the first layer, each layer, and those after the last one
     * (the final norm, a pooler, the head).
     */
    static List<List<Site>> groups(Base base) {
        List<List<Site>> groups = new ArrayList<>(List.of(new ArrayList<>()));
        int layer = -1;
        for (Site site : base.sites()) {
            if (site.layer() >= 0 && site.layer() != layer) {
                layer = site.layer();
                groups.add(new ArrayList<>());
            }
            groups.get(groups.size() - 1).add(site);
        }
        List<Site> last = groups.get(groups.size() - 1);
        int end = last.size();
        while (end > 0 && last.get(end - 1).layer() < 0) {
            end--;
        }
        List<Site> top = new ArrayList<>(last.subList(end, last.size()));
        last.subList(end, last.size()).clear();
        groups.add(top);
        return groups;
    }

    /** Returns the parameters of the base in the form that its layers use, by name. */
    static Map<String, Tensor> frozen(Base base) {
        Map<String, Tensor> frozen = new HashMap<>();
        for (Site site : base.sites()) {
            parameters(site).forEach(parameter -> frozen.putIfAbsent(base.nameOf(parameter), parameter));
        }
        return frozen;
    }

    /**
     * Returns the group of each parameter, counted from the output; a shared one belongs to the group closer to the input.
     */
    static Map<String, Integer> depths(Base base) {
        Map<String, Integer> depths = new LinkedHashMap<>();
        List<List<Site>> groups = groups(base);
        for (int i = 0; i < groups.size(); i++) {
            int depth = groups.size() - 1 - i;
            for (Site site : groups.get(i)) {
                for (Tensor parameter : parameters(site)) {
                    depths.merge(base.nameOf(parameter), depth, Math::max);
                }
            }
        }
        return depths;
    }

    private static List<Tensor> parameters(Site site) {
        List<Tensor> found = new ArrayList<>();
        if (site instanceof Linear linear) {
            if (!linear.isQuantized()) {
                found.add(linear.weight());
            }
            add(found, linear.bias());
        } else if (site instanceof Embedding table) {
            found.add(table.weight());
        } else if (site instanceof Norm norm) {
            found.add(norm.weight());
            add(found, norm.bias());
        }
        return found;
    }

    private static void add(List<Tensor> found, @Nullable Tensor bias) {
        if (bias != null) {
            found.add(bias);
        }
    }
}
