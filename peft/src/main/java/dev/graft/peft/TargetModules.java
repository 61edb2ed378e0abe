package dev.graft.peft;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.sites.Convolution;
import dev.graft.models.sites.Embedding;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.internal.PythonRegex;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The modules that a method adapts, with PEFT's meaning of {@code target_modules}, {@code exclude_modules}, {@code layers_to_transform} and
 * {@code layers_pattern} ({@code tuners_utils.py}, {@code check_target_module_exists}).
 *
 * @param names exact names or suffixes; empty when a regular expression or a default is used
 * @param regex a Python regular expression for the whole name; {@code all-linear} for every linear layer but the head, and the convolutions
 *     inside a network of them
 * @param excludedNames exact names or suffixes of modules that are left out
 * @param excludedRegex a Python regular expression for the whole names of modules that are left out
 * @param layers only layers with these indices; null for all
 * @param layersPattern names of the module list that contains the layers; empty for any
 */
public record TargetModules(
        Set<String> names,
        @Nullable String regex,
        Set<String> excludedNames,
        @Nullable String excludedRegex,
        @Nullable List<Integer> layers,
        List<String> layersPattern) {
    private static final Set<Role> DEFAULT_ROLES =
            EnumSet.of(Role.QUERY, Role.VALUE, Role.QUERY_KEY_VALUE, Role.CONVOLUTION);

    /** Every linear layer except the head, and the convolutions inside a network of them. */
    public static final TargetModules ALL_LINEAR = regex("all-linear");

    /**
     * PEFT's default: the query and value projections; in Phi also the feed-forward layers, in RWKV all linear layers. In a convolutional network
     * it is the convolutions.
     */
    public static final TargetModules DEFAULT = new TargetModules(Set.of(), null, Set.of(), null, null, List.of());

    /** Returns the modules with these names or suffixes. */
    public static TargetModules names(String... names) {
        return new TargetModules(inOrder(List.of(names)), null, Set.of(), null, null, List.of());
    }

    /** Returns the modules whose whole name matches a Python regular expression. */
    public static TargetModules regex(String regex) {
        return new TargetModules(Set.of(), regex, Set.of(), null, null, List.of());
    }

    /** Reads the fields of an {@code adapter_config.json}. */
    public static TargetModules read(Fields config) {
        JsonNode include = present(config, "target_modules");
        JsonNode exclude = present(config, "exclude_modules");
        JsonNode layers = present(config, "layers_to_transform");
        JsonNode pattern = present(config, "layers_pattern");
        boolean byRegex = include != null && include.isString();
        boolean excludeByRegex = exclude != null && exclude.isString();
        TargetModules targets = new TargetModules(
                include == null || byRegex ? Set.of() : inOrder(config.strings("target_modules")),
                byRegex ? config.string("target_modules") : null,
                exclude == null || excludeByRegex ? Set.of() : inOrder(config.strings("exclude_modules")),
                excludeByRegex ? config.string("exclude_modules") : null,
                layers == null
                        ? null
                        : layers.isNumber()
                                ? List.of(config.integer("layers_to_transform", 0, 0))
                                : config.integersOrNull("layers_to_transform"),
                pattern == null || pattern.isString() && pattern.stringValue().isEmpty()
                        ? List.of()
                        : pattern.isString()
                                ? List.of(config.string("layers_pattern"))
                                : config.strings("layers_pattern"));
        if (byRegex && targets.layers != null) {
            throw config.invalid(
                    "layers_to_transform", "null when target_modules is a regular expression or all-linear");
        }
        if (targets.layers == null && !targets.layersPattern.isEmpty()) {
            throw config.invalid("layers_pattern", "null where layers_to_transform is null");
        }
        return targets;
    }

    private static @Nullable JsonNode present(Fields config, String field) {
        JsonNode value = config.node(field);
        return value == null || value.isNull() ? null : value;
    }

    /** Writes the fields as PEFT does, with lists sorted. */
    public void write(ObjectNode config) {
        putNames(config, "target_modules", names, regex);
        putNames(config, "exclude_modules", excludedNames, excludedRegex);
        if (layers == null) {
            config.putNull("layers_to_transform");
        } else {
            ArrayNode array = config.putArray("layers_to_transform");
            layers.forEach(array::add);
        }
        if (layersPattern.isEmpty()) {
            config.putNull("layers_pattern");
        } else if (layersPattern.size() == 1) {
            config.put("layers_pattern", layersPattern.get(0));
        } else {
            ArrayNode array = config.putArray("layers_pattern");
            layersPattern.forEach(array::add);
        }
    }

    /**
     * Writes the fields of a configuration without fields for exclusions: with exclusions, every module by its name.
     */
    public void writeWithoutExclusions(ObjectNode config, Base base) {
        boolean excludes = !excludedNames.isEmpty() || excludedRegex != null;
        TargetModules stated =
                excludes ? names(match(base, List.of()).stream().map(Site::name).toArray(String[]::new)) : this;
        stated.write(config);
        config.remove("exclude_modules");
    }

    private static void putNames(ObjectNode config, String field, Set<String> names, @Nullable String regex) {
        if (regex != null) {
            config.put(field, regex);
        } else if (names.isEmpty()) {
            config.putNull(field);
        } else {
            ArrayNode array = config.putArray(field);
            new TreeSet<>(names).forEach(array::add);
        }
    }

    /** Returns these targets if set, else those of the table for the base, else the default. */
    public TargetModules orDefaults(Base base, DefaultTargets.Table table) {
        List<String> defaults = DefaultTargets.names(table, base.architecture().modelType());
        return defaults == null ? this : orNames(base, defaults);
    }

    /** Returns these targets if set, else the given names that the base has. */
    public TargetModules orNames(Base base, List<String> defaults) {
        List<String> found = defaults.stream()
                .filter(name -> base.sites().stream()
                        .anyMatch(
                                site -> (isCandidate(site) || site instanceof Norm) && isOrEndsWith(site.name(), name)))
                .toList();
        return isDefault() && !found.isEmpty() ? withNames(found) : this;
    }

    /**
     * Returns a copy that names every module explicitly, without exclusions and layers, for configurations that have no
     * fields for them.
     */
    public TargetModules withExplicitNames(Base base) {
        boolean plain = excludedNames.isEmpty() && excludedRegex == null && layers == null;
        return plain
                ? this
                : names(match(base, List.of()).stream().map(Site::name).toArray(String[]::new));
    }

    /** Returns whether these are all linear layers. */
    public boolean isAllLinear() {
        return "all-linear".equalsIgnoreCase(regex);
    }

    /** Returns whether nothing is set, so the architecture's default applies. */
    public boolean isDefault() {
        return names.isEmpty() && regex == null;
    }

    /**
     * Returns the targeted linear layers, convolutions and embeddings of a base, in its order.
     *
     * @throws InputException if nothing matches, a name in the list matches nothing, or other modules match too, such as a whole layer
     */
    public List<Site> match(Base base, List<String> modulesToSave) {
        return match(base, modulesToSave, TargetModules::isCandidate);
    }

    private static boolean isCandidate(Site site) {
        boolean routes = site instanceof Linear linear && linear.role() == Role.ROUTER;
        return !routes && (site instanceof Projection || site instanceof Embedding);
    }

    /** Returns the targeted sites among those of a kind. */
    List<Site> match(Base base, List<String> modulesToSave, Predicate<Site> kind) {
        List<Site> candidates = base.sites().stream().filter(kind).toList();
        TargetModules resolved = resolve(base, candidates);
        List<Site> chosen = new ArrayList<>();
        for (Site site : candidates) {
            if (resolved.matches(wrapped(site.name()), modulesToSave)) {
                chosen.add(site);
            }
        }
        if (chosen.isEmpty() && layers != null && !layers.isEmpty()) {
            refuseLayers(base, candidates, modulesToSave);
        }
        if (chosen.isEmpty()) {
            throw new InputException(
                    isDefault()
                            ? "target_modules are not given, and " + base.name() + " has none that are usual; it has "
                                    + suffixes(candidates)
                            : "target_modules " + describe() + " match no module of " + base.name() + "; it has "
                                    + suffixes(candidates));
        }
        for (String other : others(base, candidates)) {
            if (resolved.matches(other, modulesToSave)) {
                throw new InputException("target_modules " + describe() + " match " + other
                        + " too, which is neither a linear layer, a convolution nor an embedding; name the layers"
                        + " themselves, such as "
                        + suffixes(candidates));
            }
        }
        for (String name : names) {
            if (candidates.stream().noneMatch(site -> isOrEndsWith(site.name(), name))) {
                throw new InputException("target_modules: \"" + name + "\" matches no module of " + base.name()
                        + "; it has " + suffixes(candidates));
            }
        }
        return chosen;
    }

    /** Refuses layers that leave none of the modules that the names alone would choose. */
    private void refuseLayers(Base base, List<Site> candidates, List<String> modulesToSave) {
        TargetModules everywhere = new TargetModules(names, regex, excludedNames, excludedRegex, null, List.of());
        TargetModules resolved = everywhere.resolve(base, candidates);
        if (candidates.stream().anyMatch(site -> resolved.matches(wrapped(site.name()), modulesToSave))) {
            int count = base.backbone().layers();
            throw new InputException("layers_to_transform " + layers
                    + (layersPattern.isEmpty() ? "" : " with layers_pattern " + layersPattern)
                    + " leave no module that target_modules choose; " + base.name() + " has " + count
                    + " layers, 0 to " + (count - 1));
        }
    }

    /** A layer inside a wrapper, such as the projection out of an {@code nn.MultiheadAttention}, is adapted with the whole. */
    private static String wrapped(String name) {
        int inside = name.indexOf(".base_layer.");
        return inside < 0 ? name : name.substring(0, inside);
    }

    /** Norms, and the modules that others are in. */
    private static TreeSet<String> others(Base base, List<Site> candidates) {
        List<Site> modules = new ArrayList<>(candidates);
        TreeSet<String> others = new TreeSet<>();
        for (Site site : base.sites()) {
            if (site instanceof Norm) {
                modules.add(site);
                others.add(site.name());
            }
        }
        for (Site site : modules) {
            String name = site.name();
            for (int end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
                others.add(name.substring(0, end));
            }
        }
        for (Site candidate : candidates) {
            others.remove(candidate.name());
        }
        return others;
    }

    private TargetModules resolve(Base base, List<Site> candidates) {
        if (isAllLinear()) {
            List<String> linears = new ArrayList<>();
            for (Site site : candidates) {
                boolean linear = site instanceof Linear layer && !isHead(base, layer);
                if (linear || site instanceof Convolution inner && inner.role() == Role.CONVOLUTION) {
                    linears.add(site.name());
                }
            }
            return withNames(linears);
        }
        if (isDefault()) {
            Set<Role> more = DefaultTargets.extraRoles(base.architecture().modelType());
            List<String> projections = new ArrayList<>();
            for (Site site : candidates) {
                if (site instanceof Projection layer
                        && (DEFAULT_ROLES.contains(layer.role()) || more.contains(layer.role()))) {
                    projections.add(site.name());
                }
            }
            return withNames(projections);
        }
        return this;
    }

    /** PEFT leaves out the vocabulary head and a sequence classifier's head, but not those of tokens and answers. */
    private static boolean isHead(Base base, Linear linear) {
        Linear output = base.head().output();
        return output != null
                && output.name().equals(linear.name())
                && (base.task() == Task.CAUSAL_LM
                        || base.task() == Task.SEQ_2_SEQ_LM
                        || base.task() == Task.MASKED_LM
                        || base.task() == Task.SEQ_CLS);
    }

    /** Returns a copy with modules of these names or suffixes. */
    public TargetModules withNames(List<String> chosen) {
        return new TargetModules(inOrder(chosen), null, excludedNames, excludedRegex, layers, layersPattern);
    }

    /** Returns whether a module of that name is targeted. */
    public boolean matches(String module, List<String> modulesToSave) {
        if (excludes(module)) {
            return false;
        }
        for (String saved : modulesToSave) {
            if (PythonRegex.match("modules_to_save", "(^|.*\\.)" + saved + "($|\\..*)", module)) {
                return false;
            }
        }
        if (regex != null) {
            return PythonRegex.fullMatch("target_modules", regex, module);
        }
        return names.contains(module) || endsWithOne(module, names) && inLayers(module);
    }

    /** Returns whether a module of that name is excluded. */
    public boolean excludes(String module) {
        return excludedRegex != null
                ? PythonRegex.fullMatch("exclude_modules", excludedRegex, module)
                : excludedNames.contains(module) || endsWithOne(module, excludedNames);
    }

    private boolean inLayers(String module) {
        if (layers == null || layers.isEmpty()) {
            return true;
        }
        String index = null;
        if (layersPattern.isEmpty()) {
            index = PythonRegex.group("layers_pattern", ".*?\\.[^.]*\\.(?<idx>\\d+)\\.", module);
        } else {
            for (String pattern : layersPattern) {
                index = PythonRegex.group("layers_pattern", "(?:^|.*?\\.)" + pattern + "\\.(?<idx>\\d+)\\.", module);
                if (index != null) {
                    break;
                }
            }
        }
        return index != null && layers.contains(Integer.valueOf(index));
    }

    private static Set<String> inOrder(List<String> names) {
        return Collections.unmodifiableSet(new LinkedHashSet<>(names));
    }

    private static boolean endsWithOne(String module, Set<String> names) {
        for (int dot = module.indexOf('.'); dot >= 0; dot = module.indexOf('.', dot + 1)) {
            if (names.contains(module.substring(dot + 1))) {
                return true;
            }
        }
        return false;
    }

    private static boolean isOrEndsWith(String module, String name) {
        return module.equals(name) || module.endsWith("." + name);
    }

    private String describe() {
        return regex != null ? "\"" + regex + "\"" : names.toString();
    }

    private static TreeSet<String> suffixes(List<Site> sites) {
        TreeSet<String> suffixes = new TreeSet<>();
        for (Site site : sites) {
            suffixes.add(site.name().substring(site.name().lastIndexOf('.') + 1));
        }
        return suffixes;
    }
}
