package dev.graft.parity;

import dev.graft.formats.Fields;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.models.sites.Experts;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.TargetModules;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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
final class ConfigsParity implements CaseGroup {
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

    /** Null, or what some model has, until an adapter is made for a model; then what that has. */
    private static final Set<String> OF_THE_MODEL = Set.of(
            "num_layers",
            "token_dim",
            "num_attention_heads",
            "num_transformer_submodules",
            "encoder_hidden_size",
            "hidden_size");

    private static final Pattern TABLE =
            Pattern.compile("TRANSFORMERS_MODELS_TO_(\\w+?)_(TARGET|FEEDFORWARD)_MODULES_MAPPING");

    @Override
    public String name() {
        return "configs";
    }

    @Override
    public void run(Path tree, CaseRunner runner) {
        Path defaults = tree.resolve("configs/defaults.json");
        if (Files.exists(defaults)) {
            Json.read(defaults)
                    .path("types")
                    .properties()
                    .forEach(type -> runner.run(
                            "configs/defaults/" + type.getKey(),
                            check -> defaults(check, tree, type.getKey(), type.getValue())));
        }
        Path targets = tree.resolve("configs/default_targets.json");
        if (Files.exists(targets)) {
            Json.read(targets)
                    .path("tables")
                    .properties()
                    .forEach(table -> table(tree, table.getKey(), table.getValue(), runner));
        }
    }

    /** A case for each model of the table; one for all of them where there is no such method. */
    private static void table(Path tree, String name, JsonNode models, CaseRunner runner) {
        String id = "configs/default_targets/" + name;
        Matcher type = TABLE.matcher(name);
        String peftType = type.matches() ? peftType(type.group(1)) : "";
        if (Methods.all().stream().noneMatch(method -> method.peftType().equals(peftType))) {
            runner.run(id, check -> {
                throw new NotCoveredException("there is no method for " + name);
            });
            return;
        }
        boolean ofInputs = type.group(2).equals("FEEDFORWARD");
        models.properties()
                .forEach(model -> runner.run(id + "/" + model.getKey(), check -> {
                    ChosenAdapter chosen = chosen(tree, peftType, model.getKey());
                    if (ofInputs) {
                        scaledInputs(check, chosen, model.getValue());
                    } else {
                        targets(check, chosen, model.getValue());
                    }
                }));
    }

    private static void defaults(CaseCheck check, Path tree, String peftType, JsonNode expected) {
        ObjectNode given = ((ObjectNode) expected.path("given")).deepCopy();
        given.put("peft_type", peftType);
        Method.Type type = MethodTypes.of(peftType, Fields.of("the configuration", given));
        check.that(expected.has("defaults"), "the reference has no defaults: " + expected.path("error"));
        Set<String> except = new TreeSet<>(OF_THE_ADAPTER);
        except.addAll(OF_THE_MODEL);
        for (String required : type.required()) {
            JsonNode value = expected.path("defaults").path(required);
            if (value.isObject() && value.isEmpty()) {
                // With none the reference makes no adapter either; without the type they are settings and not folders.
                ObjectNode held = given.putObject(required);
                held.putObject("0");
                held.putObject("1");
                given.remove("peft_type");
                except.add(required);
            }
            // A default that no adapter can have stands for "must be given".
            if (value.isNull()) {
                given.put(required, 1);
                except.add(required);
            }
        }
        Base base = base(tree, any -> true).or(() -> FamilyBase.of("llama")).orElseThrow();
        ObjectNode ours = JsonNodeFactory.instance.objectNode();
        type.read(Fields.of("the configuration", given), base).write(ours, base);
        ConfigComparison.compare(check, peftType, ours, expected.path("defaults"), except);
    }

    /** An adapter without targets, and the base that it is for. */
    private record ChosenAdapter(Base base, Adapter adapter) {
        String name() {
            return adapter.method().type().name();
        }
    }

    private static ChosenAdapter chosen(Path tree, String peftType, String modelType) {
        ObjectNode given = small(tree, peftType);
        given.put("peft_type", peftType);
        Fields fields = Fields.of("the configuration", given);
        Method.Type type = MethodTypes.of(peftType, fields);
        Base base = base(tree, modelType::equals)
                .or(() -> FamilyBase.of(modelType))
                .orElseThrow(() -> new NotCoveredException("there is no family of the type " + modelType));
        return new ChosenAdapter(base, Adapter.create(base, type.read(fields, base), 1));
    }

    private static void targets(CaseCheck check, ChosenAdapter chosen, JsonNode expected) {
        Base base = chosen.base();
        Adapter adapter = chosen.adapter();
        TargetModules stated = expected.isString()
                ? TargetModules.regex(expected.asString())
                : TargetModules.names(
                        expected.valueStream().map(JsonNode::asString).toArray(String[]::new));
        Set<String> wanted = new TreeSet<>();
        for (Site site : base.sites()) {
            // In the reference the experts are parameters of one module.
            if (!(site instanceof Experts)
                    && stated.matches(site.name(), adapter.config().modulesToSave())) {
                wanted.add(site.name());
            }
        }
        requireSome(wanted, expected, base);
        Set<String> got = new TreeSet<>();
        for (Site site : adapter.sites()) {
            if (!adapter.parameters().containsKey(site.name() + ".weight")) {
                got.add(site.name());
            }
        }
        check.same("the modules that " + chosen.name() + " chooses in " + base.name(), got, wanted);
    }

    /** Compares the modules whose input (IA)³ scales: their scales are rows. */
    private static void scaledInputs(CaseCheck check, ChosenAdapter chosen, JsonNode expected) {
        Set<String> wanted = new TreeSet<>();
        Set<String> got = new TreeSet<>();
        chosen.adapter().parameters().forEach((name, value) -> {
            if (chosen.adapter().config().savesWhole(name)) {
                return;
            }
            String module = name.substring(0, name.lastIndexOf('.'));
            if (expected.valueStream().anyMatch(end -> module.endsWith(end.asString()))) {
                wanted.add(module);
            }
            if (value.value().size(0) == 1) {
                got.add(module);
            }
        });
        if (!expected.isEmpty()) {
            requireSome(wanted, expected, chosen.base());
        }
        check.same(
                "the modules whose input " + chosen.name() + " scales in "
                        + chosen.base().name(),
                got,
                wanted);
    }

    private static void requireSome(Set<String> wanted, JsonNode expected, Base base) {
        if (wanted.isEmpty()) {
            throw new NotCoveredException(
                    "the reference's table names " + expected + ", which choose nothing in " + base.name());
        }
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
    private static Optional<Base> base(Path tree, Predicate<String> wanted) {
        List<Path> folders = List.of();
        if (Files.isDirectory(tree.resolve("bases"))) {
            try (Stream<Path> found = Files.list(tree.resolve("bases"))) {
                folders = found.filter(folder -> Files.exists(folder.resolve("config.json")))
                        .sorted()
                        .toList();
            } catch (IOException e) {
                throw new FileAccessException("cannot list " + tree + "/bases", e);
            }
        }
        for (Path folder : folders) {
            Path config = folder.resolve("config.json");
            if (wanted.test(Json.read(config).path("model_type").asString(""))) {
                return Optional.of(NotCoveredException.unlessRefused(config, () -> Base.load(folder)));
            }
        }
        return Optional.empty();
    }
}
