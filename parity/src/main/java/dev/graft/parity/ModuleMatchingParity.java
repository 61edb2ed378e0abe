package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.AdapterConfig;
import dev.graft.peft.Method;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The modules of a list that a configuration chooses, with which rank and scaling, what is saved whole, and what is refused. */
final class ModuleMatchingParity implements CaseGroup {
    @Override
    public String name() {
        return "matching";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        for (Path file : jsonFiles(tree)) {
            JsonNode content = Json.read(file);
            Map<String, String> modules = new LinkedHashMap<>();
            content.path("modules")
                    .properties()
                    .forEach(entry ->
                            modules.put(entry.getKey(), entry.getValue().asString()));
            int index = 0;
            for (JsonNode one : content.path("cases")) {
                String id = "matching/" + CaseGroup.stem(file) + "/" + index++;
                runner.run(
                        id,
                        check -> run(
                                check,
                                one,
                                modules,
                                content.path("output_embeddings").asString("")));
            }
        }
    }

    private static void run(CaseCheck check, JsonNode one, Map<String, String> modules, String head) {
        JsonNode matched = one.path("matched");
        Map<String, ModuleTree.Kind> kinds = kinds(modules, matched);
        Base base = ModuleTree.of("the model", kinds, head, ZeroTensors.of(kinds));
        String peftType = one.path("peft_type").asString();
        ObjectNode config = ((ObjectNode) one.path("config")).deepCopy();
        config.put("peft_type", peftType);
        Fields fields = Fields.of("the configuration", config);
        Method.Type type = MethodTypes.of(peftType, fields);
        Adapter adapter;
        try {
            Method method = type.read(fields, base);
            List<String> whole = fields.stringsOrNull("modules_to_save");
            adapter = Adapter.create(
                    base, new AdapterConfig(method, whole == null ? List.of() : whole, null, null, null), 1);
        } catch (InputException refused) {
            refused(check, one, String.valueOf(refused.getMessage()));
            return;
        }
        if (one.has("error")) {
            check.that(
                    false,
                    "the reference refuses this ("
                            + one.path("error").path("type").asString() + "), here it gives " + names(adapter));
            return;
        }
        AdaptedModules.compare(check, adapter, matched);
        Set<String> saved = savedWhole(adapter);
        Set<String> chosen = new TreeSet<>(names(adapter));
        chosen.removeAll(saved);
        check.same("the chosen modules", chosen, new TreeSet<>(matched.propertyNames()));
        check.same("the modules saved whole", saved, within(base, one.path("modules_to_save")));
    }

    /** The modules that there are sites for; those of other kinds must not be what the case is about. */
    private static Map<String, ModuleTree.Kind> kinds(Map<String, String> modules, JsonNode matched) {
        Map<String, ModuleTree.Kind> byLabel = ModuleTree.Kind.byLabel();
        Map<String, ModuleTree.Kind> kinds = new LinkedHashMap<>();
        modules.forEach((name, label) -> {
            ModuleTree.Kind kind = byLabel.get(label);
            if (kind != null) {
                kinds.put(name, kind);
            } else if (matched.has(name)) {
                throw new NotCoveredException("there is no site for a " + label);
            }
        });
        return kinds;
    }

    /**
     * A refusal is right where the reference refuses too, and where the reference silently ignores a name of the configuration that
     * matches nothing: then the message must name it.
     */
    private static void refused(CaseCheck check, JsonNode one, String message) {
        if (one.has("error")) {
            check.that(!message.isBlank(), "the refusal says nothing");
            return;
        }
        Set<String> ignored = new LinkedHashSet<>();
        for (JsonNode name : one.path("config").path("target_modules")) {
            boolean matches = one.path("matched").propertyNames().stream()
                    .anyMatch(module -> module.equals(name.asString()) || module.endsWith("." + name.asString()));
            if (!matches) {
                ignored.add(name.asString());
            }
        }
        check.that(
                ignored.stream().anyMatch(name -> message.contains("\"" + name + "\"")),
                "the reference chooses " + one.path("matched").propertyNames() + ", here: " + message);
    }

    private static Set<String> names(Adapter adapter) {
        Set<String> names = new TreeSet<>();
        adapter.sites().forEach(site -> names.add(site.name()));
        return names;
    }

    private static Set<String> savedWhole(Adapter adapter) {
        Set<String> saved = new TreeSet<>();
        for (Site site : adapter.sites()) {
            if (adapter.parameters().containsKey(site.name() + ".weight")) {
                saved.add(site.name());
            }
        }
        return saved;
    }

    /** The sites that are these modules or inside them. */
    private static Set<String> within(Base base, JsonNode modules) {
        Set<String> sites = new TreeSet<>();
        for (Site site : base.sites()) {
            for (JsonNode module : modules) {
                if (site.name().equals(module.asString()) || site.name().startsWith(module.asString() + ".")) {
                    sites.add(site.name());
                }
            }
        }
        return sites;
    }
}
