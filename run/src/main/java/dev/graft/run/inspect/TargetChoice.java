package dev.graft.run.inspect;

import dev.graft.models.Base;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Parameter;
import dev.graft.peft.TargetModules;
import dev.graft.peft.methods.lora.Lora;
import dev.graft.peft.methods.lora.LoraConfig;
import dev.graft.run.methods.RoleTargets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;

/**
 * The parameters that LoRA would train with one choice of {@code target_modules}.
 *
 * @param name {@code default}, {@code all-linear} or a role
 * @param value the value to write for {@code target_modules}
 * @param modules the number of chosen modules
 * @param parameters the number of trained parameters, a classifier's head included
 * @param percent the trained share of all parameters, the adapter's own included
 */
public record TargetChoice(String name, String value, int modules, long parameters, double percent) {

    /**
     * Returns the default, all linear layers, and each role by itself.
     *
     * @param rank the rank of LoRA
     */
    public static List<TargetChoice> all(Base base, int rank) {
        List<TargetChoice> choices = new ArrayList<>();
        Map<Role, List<Projection>> roles = roles(base);
        String usual = roles.containsKey(Role.CONVOLUTION) ? "default (convolution)" : "default (query, value)";
        choices.add(of(base, rank, usual, "not set", TargetModules.DEFAULT));
        choices.add(of(base, rank, "all linear layers", "all-linear", TargetModules.ALL_LINEAR));
        roles.forEach((role, sites) -> {
            if (role != Role.HEAD && role != Role.POOLER && role != Role.ROUTER) {
                List<String> names = RoleTargets.ends(base, sites);
                TargetModules targets = names.isEmpty()
                        ? TargetModules.regex(regex(sites))
                        : TargetModules.names(names.toArray(String[]::new));
                String value = names.isEmpty() ? regex(sites) : String.join(",", names);
                choices.add(of(base, rank, role.name().toLowerCase(Locale.ROOT), value, targets));
            }
        });
        return choices;
    }

    private static TargetChoice of(Base base, int rank, String name, String value, TargetModules targets) {
        LoraConfig config = LoraConfig.DEFAULT.withR(rank).withAlpha(2 * rank).withTargets(targets);
        Adapter adapter = Adapter.create(base, new Lora(config), 0);
        long parameters = adapter.trainableCount();
        int modules = adapter.sites().size();
        long own = adapter.parameters().values().stream()
                .mapToLong(p -> p.value().numel())
                .sum();
        // A large model's many choices would wait for the garbage collector.
        adapter.parameters().values().stream().map(Parameter::value).forEach(Tensor::close);
        return new TargetChoice(name, value, modules, parameters, 100.0 * parameters / (base.parameterCount() + own));
    }

    private static Map<Role, List<Projection>> roles(Base base) {
        Map<Role, List<Projection>> roles = new EnumMap<>(Role.class);
        for (Site site : base.sites()) {
            if (site instanceof Projection layer) {
                roles.computeIfAbsent(layer.role(), role -> new ArrayList<>()).add(layer);
            }
        }
        return roles;
    }

    private static String regex(List<Projection> sites) {
        TreeSet<String> patterns = new TreeSet<>();
        for (Projection site : sites) {
            patterns.add(site.name().replace(".", "\\.").replaceAll("(?<=\\.)\\d+(?=\\\\\\.)", "\\\\d+"));
        }
        return String.join("|", patterns);
    }
}
