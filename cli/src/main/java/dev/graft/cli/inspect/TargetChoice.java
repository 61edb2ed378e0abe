package dev.graft.cli.inspect;

import dev.graft.cli.methods.Roles;
import dev.graft.models.Base;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Parameter;
import dev.graft.peft.Targets;
import dev.graft.peft.methods.Lora;
import dev.graft.peft.methods.LoraConfig;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;

/**
 * What LoRA would train with one choice of {@code target_modules}.
 *
 * @param name {@code default}, {@code all-linear} or a role
 * @param value what to write for it
 * @param modules how many modules it chooses
 * @param parameters how many numbers are trained, a classifier's head included
 * @param percent of all parameters, the adapter's own included
 */
record TargetChoice(String name, String value, int modules, long parameters, double percent) {

    /** The default, all linear layers, and each role by itself. */
    static List<TargetChoice> all(Base base, int rank) {
        List<TargetChoice> choices = new ArrayList<>();
        Map<Role, List<Projection>> roles = roles(base);
        String usual = roles.containsKey(Role.CONVOLUTION) ? "default (convolution)" : "default (query, value)";
        choices.add(of(base, rank, usual, "not set", Targets.DEFAULT));
        choices.add(of(base, rank, "all linear layers", "all-linear", Targets.ALL_LINEAR));
        roles.forEach((role, sites) -> {
            if (role != Role.HEAD && role != Role.POOLER && role != Role.ROUTER) {
                List<String> names = Roles.ends(base, sites);
                Targets targets =
                        names.isEmpty() ? Targets.regex(regex(sites)) : Targets.names(names.toArray(String[]::new));
                String value = names.isEmpty() ? regex(sites) : String.join(",", names);
                choices.add(of(base, rank, role.name().toLowerCase(Locale.ROOT), value, targets));
            }
        });
        return choices;
    }

    private static TargetChoice of(Base base, int rank, String name, String value, Targets targets) {
        LoraConfig config = LoraConfig.DEFAULT.withRank(rank, 2 * rank).withTargets(targets);
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
