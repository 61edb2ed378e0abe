package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.Targets;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The defaults of every type of adapter, and the modules that a type chooses in a model where none are named. */
final class ConfigsParity implements Group {
    /** Written beside a method's own fields, from what the adapter is for. */
    private static final Set<String> OF_THE_ADAPTER = Set.of(
            "peft_type",
            "task_type",
            "base_model_name_or_path",
            "revision",
            "inference_mode",
            "auto_mapping",
            "modules_to_save",
            "peft_version");

    /** Null until an adapter is made for a model, then what the model has. */
    private static final Set<String> OF_THE_MODEL = Set.of(
            "num_layers", "token_dim", "num_attention_heads", "num_transformer_submodules", "encoder_hidden_size");

    private static final Pattern TABLE = Pattern.compile("TRANSFORMERS_MODELS_TO_(\\w+)_TARGET_MODULES_MAPPING");

    @Override
    public String name() {
        return "configs";
    }

    @Override
    public void run(Path tree, Cases cases) {
        Path defaults = tree.resolve("configs/defaults.json");
        if (Files.exists(defaults)) {
            Json.read(defaults)
                    .path("types")
                    .properties()
                    .forEach(type -> cases.run(
                            "configs/defaults/" + type.getKey(),
                            check -> defaults(check, tree, type.getKey(), type.getValue())));
        }
        Path targets = tree.resolve("configs/default_targets.json");
        if (Files.exists(targets)) {
            Json.read(targets)
                    .path("tables")
                    .properties()
                    .forEach(table -> table(tree, table.getKey(), table.getValue(), cases));
        }
    }

    /** A case for each model of the table; one for all of them where there is no such method. */
    private static void table(Path tree, String name, JsonNode models, Cases cases) {
        String id = "configs/default_targets/" + name;
        Matcher type = TABLE.matcher(name);
        String peftType = type.matches() ? peftType(type.group(1)) : "";
        if (Methods.all().stream().noneMatch(method -> method.peftType().equals(peftType))) {
            cases.run(id, check -> {
                throw new NotCovered("there is no method for " + name);
            });
            return;
        }
        models.properties()
                .forEach(model -> cases.run(
                        id + "/" + model.getKey(),
                        check -> targets(check, tree, peftType, model.getKey(), model.getValue())));
    }

    private static void defaults(Check check, Path tree, String peftType, JsonNode expected) {
        ObjectNode given = ((ObjectNode) expected.path("given")).deepCopy();
        given.put("peft_type", peftType);
        Method.Type type = MethodTypes.of(peftType, Fields.of("the configuration", given));
        check.that(expected.has("defaults"), "the reference has no defaults: " + expected.path("error"));
        Set<String> except = new TreeSet<>(OF_THE_ADAPTER);
        except.addAll(OF_THE_MODEL);
        for (String required : type.required()) {
            JsonNode value = expected.path("defaults").path(required);
            if (value.isObject() && value.isEmpty()) {
                throw new NotCovered(
                        "the reference's " + required + " are none, with which it makes no adapter either");
            }
            // A default that no adapter can have stands for "must be given".
            if (value.isNull()) {
                given.put(required, 1);
                except.add(required);
            }
        }
        Base base = base(tree, config -> true);
        ObjectNode ours = JsonNodeFactory.instance.objectNode();
        type.read(Fields.of("the configuration", given), base).write(ours, base);
        Configs.compare(check, peftType, ours, expected.path("defaults"), except);
    }

    private static void targets(Check check, Path tree, String peftType, String modelType, JsonNode expected) {
        ObjectNode given = small(tree, peftType);
        given.put("peft_type", peftType);
        Fields fields = Fields.of("the configuration", given);
        Method.Type type = MethodTypes.of(peftType, fields);
        Base base = base(tree, modelType::equals);
        Adapter adapter = Adapter.create(base, type.read(fields, base), 1);
        Targets stated = expected.isString()
                ? Targets.regex(expected.asString())
                : Targets.names(expected.valueStream().map(JsonNode::asString).toArray(String[]::new));
        Set<String> wanted = new TreeSet<>();
        for (Site site : base.sites()) {
            // In the reference the experts are parameters of one module.
            if (!(site instanceof Experts)
                    && stated.matches(site.name(), adapter.config().modulesToSave())) {
                wanted.add(site.name());
            }
        }
        if (wanted.isEmpty()) {
            throw new NotCovered(
                    "the reference's table names " + expected + ", which choose nothing in " + base.name());
        }
        Set<String> got = new TreeSet<>();
        for (Site site : adapter.sites()) {
            if (!adapter.parameters().containsKey(site.name() + ".weight")) {
                got.add(site.name());
            }
        }
        check.same("the modules that " + type.name() + " chooses in " + base.name(), got, wanted);
    }

    /** Sizes that fit the layers of the smallest base, where the defaults of a type are for large ones. */
    private static ObjectNode small(Path tree, String peftType) {
        ObjectNode sizes = JsonNodeFactory.instance.objectNode();
        Path file = tree.resolve("configs/defaults.json");
        if (Files.exists(file)) {
            JsonNode defaults = Json.read(file).path("types").path(peftType).path("defaults");
            for (String size : new String[] {"r", "n_frequency", "block_size", "group_size", "vector_length"}) {
                if (defaults.path(size).intValue(0) > 2) {
                    sizes.put(size, 2);
                }
            }
        }
        return sizes;
    }

    /** The tables leave out the underscores of some types. */
    private static String peftType(String inTable) {
        return switch (inTable) {
            case "LNTUNING" -> "LN_TUNING";
            default -> inTable.toUpperCase(Locale.ROOT);
        };
    }

    /** The first base of the tree whose type is wanted and there. */
    private static Base base(Path tree, Predicate<String> wanted) {
        List<Path> folders = List.of();
        if (Files.isDirectory(tree.resolve("bases"))) {
            try (Stream<Path> found = Files.list(tree.resolve("bases"))) {
                folders = found.filter(folder -> Files.exists(folder.resolve("config.json")))
                        .sorted()
                        .toList();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot list " + tree + "/bases: " + e.getMessage(), e);
            }
        }
        for (Path folder : folders) {
            Path config = folder.resolve("config.json");
            if (wanted.test(Json.read(config).path("model_type").asString(""))) {
                return NotCovered.unlessRefused(config, () -> Base.load(folder));
            }
        }
        throw new NotCovered("the tree has no base of that type");
    }
}
