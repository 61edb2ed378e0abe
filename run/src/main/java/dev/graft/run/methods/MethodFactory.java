package dev.graft.run.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.BaseMismatchException;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.run.config.NearestName;
import dev.graft.run.config.RunConfig;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The method that somebody named, with the options that they gave. */
public final class MethodFactory {
    private MethodFactory() {}

    /**
     * The method of that name.
     *
     * @throws InputException with the nearest name, if there is none
     */
    public static Method.Type named(String name) {
        List<String> names = Methods.all().stream().map(Method.Type::name).toList();
        if (!names.contains(name)) {
            throw new InputException("there is no method \"" + name + "\""
                    + NearestName.find(name, names)
                            .map(nearest -> "; did you mean " + nearest + "?")
                            .orElse(", expected one of " + String.join(", ", names)));
        }
        return Methods.named(name);
    }

    /**
     * The method with its options, for that base; what isn't given is as in a new adapter.
     *
     * @param options by their names in {@code adapter_config.json}, where {@code lora_alpha} and {@code lora_dropout} are also
     *     {@code alpha} and {@code dropout}. Modules may be named by what they are for, {@code [query, mlp]}, and {@code layers} by a range,
     *     {@code 2-5}
     * @param compat whose defaults hold
     * @throws InputException about an option that the method doesn't have or that has a wrong value
     */
    public static Method of(String name, Map<String, Object> options, RunConfig.Compat compat, Base base) {
        Method.Type type = named(name);
        ObjectNode known = defaults(type, base);
        ObjectNode json = known.deepCopy();
        type.optional().keySet().stream()
                .filter(field -> !type.required().contains(field))
                .forEach(json::remove);
        if (compat == RunConfig.Compat.PEFT) {
            if (type.layout() == Method.Layout.ADAPTER_HUB) {
                throw new InputException("compat is peft, but " + name + " is AdapterHub's and PEFT doesn't have it");
            }
            json.removeAll();
        }
        options.forEach((option, value) -> json.set(field(type, option, known), node(value)));
        targets(json, base);
        layers(json, known, base);
        Fields fields = Fields.of("options of " + name, json);
        Method method = type.read(fields, base);
        fields.rejectUnread("`graft methods " + name + "` lists the options of this method.");
        return method;
    }

    /**
     * Refuses options that are wrong on every base.
     *
     * @throws InputException likewise
     */
    public static void check(String name, Map<String, Object> options, RunConfig.Compat compat) {
        try {
            of(name, options, compat, ProbeBase.of(2, 128));
        } catch (BaseMismatchException onThisBase) {
            return; // Another base may have what the options name.
        }
    }

    /** Puts lists of names in place of roles, and in place of a name that stands alone. */
    private static void targets(ObjectNode json, Base base) {
        for (String field : List.of("target_modules", "exclude_modules")) {
            JsonNode given = json.path(field);
            if (field.equals("target_modules") && given.isString() && skipsPooler(base, given.stringValue())) {
                json.set(field, node(RoleTargets.resolveWithoutPooler(base)));
            } else if (given.isString() && isChoice(base, given.stringValue())) {
                json.set(field, node(RoleTargets.resolve(base, List.of(given.stringValue()))));
            } else if (given.isArray() && given.valueStream().allMatch(JsonNode::isString)) {
                json.set(
                        field,
                        node(RoleTargets.resolve(
                                base,
                                given.valueStream().map(JsonNode::stringValue).toList())));
            }
        }
    }

    /** Returns whether all linear layers are meant of a base whose pooler no output depends on. */
    private static boolean skipsPooler(Base base, String targets) {
        return targets.equals("all-linear") && !base.sites().stream().allMatch(base.task()::reads);
    }

    /** Returns whether a text is a role or the name of modules, not a pattern for their paths. */
    private static boolean isChoice(Base base, String word) {
        return !word.equals("all-linear")
                && (RoleTargets.isName(base, word) || !RoleTargets.of(word).isEmpty());
    }

    /** Puts lists of layers in place of ranges, under the name that the method has for them. */
    private static void layers(ObjectNode json, ObjectNode known, Base base) {
        for (String field : List.of("layers", "layers_to_transform")) {
            JsonNode given = json.path(field);
            if (known.path(field).isInt() || given.equals(known.path(field))) {
                continue; // a number of layers, or the method's own word for some
            }
            if (!given.isString() && !(given.isInt() && field.equals("layers"))) {
                continue;
            }
            List<Integer> layers = RoleTargets.layers(base, given.isInt() ? given.toString() : given.stringValue());
            json.remove(field);
            if (known.has("leave_out")) {
                json.set("leave_out", node(others(layers, base)));
            } else {
                json.set(known.has("layers") ? "layers" : "layers_to_transform", node(layers));
            }
        }
        // A list of layers goes with names only.
        boolean some = !json.path("layers_to_transform").isNull()
                && json.path("layers_to_transform").isArray();
        if (some
                && json.path("target_modules").isString()
                && json.path("target_modules").stringValue().equals("all-linear")) {
            json.set("target_modules", node(RoleTargets.resolve(base, List.of("all-linear"))));
        }
    }

    private static List<Integer> others(List<Integer> layers, Base base) {
        return IntStream.range(0, base.backbone().layers())
                .boxed()
                .filter(layer -> !layers.contains(layer))
                .toList();
    }

    /**
     * Options that an adapter has other values for, as sentences.
     *
     * @param options as {@link #of} takes them; what isn't given isn't compared
     */
    public static List<String> differences(
            Method adapter, Map<String, Object> options, RunConfig.Compat compat, Base base) {
        Method.Type type = adapter.type();
        ObjectNode known = defaults(type, base);
        ObjectNode asked = written(of(type.name(), options, compat, base), base);
        ObjectNode there = written(adapter, base);
        return options.keySet().stream()
                .map(option -> field(type, option, known))
                .filter(field -> !asked.path(field).equals(there.path(field)))
                .map(field -> field + " is " + there.path(field) + " and not " + asked.path(field))
                .toList();
    }

    /** The settings of a new adapter on that base. */
    public static ObjectNode defaults(Method.Type type, Base base) {
        return written(type.defaults(), base);
    }

    /** The settings of a method as a file would have them. */
    public static ObjectNode written(Method method, Base base) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        method.write(json, base);
        return (ObjectNode) Json.parse("settings of " + method.type().name(), Json.compact(json));
    }

    /** The field of an option, which may have the method's name before it. */
    public static String field(Method.Type type, String option, ObjectNode known) {
        String whole = prefix(type) + option;
        boolean lowRank = type.peftType().equals("LORA") && (option.equals("alpha") || option.equals("dropout"));
        return lowRank || known.has(whole) && !known.has(option) ? whole : option;
    }

    /** The name of an option on the command line. */
    public static String option(Method.Type type, String field, ObjectNode known) {
        if (field.startsWith(prefix(type))) {
            String tail = field.substring(prefix(type).length());
            return field(type, tail, known).equals(field) ? tail : field;
        }
        return field;
    }

    private static String prefix(Method.Type type) {
        return type.peftType().equals("LORA") ? "lora_" : type.name() + "_";
    }

    public static JsonNode node(@Nullable Object value) {
        JsonNodeFactory nodes = JsonNodeFactory.instance;
        if (value == null) {
            return nodes.nullNode();
        } else if (value instanceof Boolean flag) {
            return nodes.booleanNode(flag);
        } else if (value instanceof Integer small) {
            return nodes.numberNode(small);
        } else if (value instanceof Long whole) {
            return whole == whole.intValue() ? nodes.numberNode(whole.intValue()) : nodes.numberNode(whole);
        } else if (value instanceof Number number) {
            return nodes.numberNode(number.doubleValue());
        } else if (value instanceof List<?> list) {
            ArrayNode array = nodes.arrayNode();
            list.forEach(element -> array.add(node(element)));
            return array;
        } else if (value instanceof Map<?, ?> map) {
            ObjectNode object = nodes.objectNode();
            map.forEach((key, element) -> object.set(String.valueOf(key), node(element)));
            return object;
        }
        return nodes.stringNode(value.toString());
    }
}
