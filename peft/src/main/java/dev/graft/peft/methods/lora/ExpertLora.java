package dev.graft.peft.methods.lora;

import dev.graft.formats.InputException;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * LoRA on parameters that aren't linear layers of their own: a mixture's router, and the matrices of its experts, each expert e with factors of
 * its own. Files hold them together, {@code A [r · E, in]} expert after expert and {@code B [out, r · E]} rank after rank:
 * {@code ΔW_e = s · B[:, :, e] A[e]} with B as {@code [out, r, E]} and A as {@code [E, r, in]}. If checkpoints store the parameter as
 * {@code [experts, in, out]}, A and B are those of the transposed layer, {@code ΔW_e = s · A[e]ᵀ B[:, :, e]ᵀ}.
 *
 * <p>Where several parameters of one module are adapted, the last one's keys begin with the module's name, and each one before it has one
 * {@code base_layer} more, as PEFT nests them.
 */
final class ExpertLora {
    private ExpertLora() {}

    /** Adapts the parameters that these names or ends of names choose. */
    static void graft(Grafter g, List<String> names, LoraConfig config) {
        Set<String> unmatched = new HashSet<>(names);
        List<Experts> experts = new ArrayList<>();
        for (Site site : g.base().sites()) {
            if (site instanceof Experts layer && matches(layer.name(), names, unmatched)) {
                experts.add(layer);
            } else if (site instanceof Linear router
                    && router.role() == Role.ROUTER
                    && matches(router.name() + ".weight", names, unmatched)) {
                String parameter = router.name() + ".weight";
                int r = config.rank(parameter);
                Tensor a = g.parameter(site, "lora_A.weight", Initializer.KAIMING, r, router.in());
                Tensor b = g.parameter(site, "lora_B.weight", Initializer.ZEROS, router.out(), r);
                g.add(site, new LowRank(a, b, null, config.scaling(parameter), 0, null, site));
            }
        }
        if (!unmatched.isEmpty()) {
            throw new InputException("target_parameters " + unmatched + " match no parameter of "
                    + g.base().name() + " other than those of its modules; name modules in target_modules");
        }
        experts.forEach(site -> graft(g, site, prefix(site, experts), config));
    }

    private static boolean matches(String parameter, List<String> names, Set<String> unmatched) {
        List<String> found = names.stream()
                .filter(name -> parameter.equals(name) || parameter.endsWith("." + name))
                .toList();
        found.forEach(unmatched::remove);
        return !found.isEmpty();
    }

    private static String prefix(Experts site, List<Experts> all) {
        List<Experts> together = all.stream()
                .filter(other -> other.module().equals(site.module()))
                .toList();
        return site.module() + ".base_layer".repeat(together.size() - 1 - together.indexOf(site));
    }

    private static void graft(Grafter g, Experts site, String prefix, LoraConfig config) {
        long count = site.count();
        int r = config.rank(site.name());
        double s = config.scaling(site.name());
        long in = site.transposed() ? site.out() : site.in();
        long out = site.transposed() ? site.in() : site.out();
        Tensor a = g.parameter(prefix + ".lora_A.weight", Initializer.KAIMING, r * count, in);
        Tensor b = g.parameter(prefix + ".lora_B.weight", Initializer.ZEROS, out, r * count);
        g.add(site, new Effect.EachExpert(e -> {
            Tensor down = a.view(count, r, in).select(0, e);
            Tensor up = b.view(out, r, count).select(2, e);
            return site.transposed()
                    ? new LowRank(up.t(), down.t(), null, s, 0, null, site)
                    : new LowRank(down, up, null, s, 0, null, site);
        }));
    }
}
