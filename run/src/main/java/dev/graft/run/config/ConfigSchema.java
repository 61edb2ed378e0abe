package dev.graft.run.config;

import dev.graft.formats.Json;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The recipe format as a JSON Schema (draft 2020-12), for editors and for programs that write recipes. */
public final class ConfigSchema {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private ConfigSchema() {}

    /** Returns the schema as JSON. */
    public static String json() {
        return Json.pretty(schema());
    }

    /** The schema of a recipe in its canonical form: real names, the options of data and of the method nested. */
    static ObjectNode schema() {
        ObjectNode schema = JSON.objectNode();
        schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.put("title", "Graft training run");
        ObjectNode properties = object(schema);
        ConfigKeys.RUN.forEach((name, key) -> {
            int dot = name.indexOf('.');
            if (dot < 0) {
                properties.set(name, property(key));
            } else {
                String group = name.substring(0, dot);
                ObjectNode nested =
                        properties.has(group) ? (ObjectNode) properties.get(group) : properties.putObject(group);
                ObjectNode inner = nested.has("properties")
                        ? (ObjectNode) nested.get("properties")
                        : object(describe(nested, key.topic()));
                inner.set(name.substring(dot + 1), property(key));
            }
        });
        for (String method : ConfigKeys.LOW_RANK_METHODS) {
            ObjectNode options = describe(properties.putObject(method), "Options of method " + method);
            options.put("type", "object");
            ObjectNode inner = options.putObject("properties");
            ConfigKeys.LOW_RANK.forEach((name, key) -> inner.set(name, property(key)));
        }
        // Options of other methods: a mapping under the method's name, checked by the method itself.
        schema.putObject("additionalProperties").put("type", "object");
        return schema;
    }

    private static ObjectNode object(ObjectNode node) {
        node.put("type", "object");
        node.put("additionalProperties", false);
        return node.putObject("properties");
    }

    private static ObjectNode describe(ObjectNode node, String description) {
        return node.put("description", description);
    }

    private static ObjectNode property(ConfigKey key) {
        ConfigOption declared = key.declaration();
        String unset = key.isOptional() ? "; unset: " + declared.unset() : "";
        ObjectNode property = describe(JSON.objectNode(), declared.value() + unset);
        type(property, key.type());
        if (key.isOptional() && property.has("type") && property.get("type").isString()) {
            property.putArray("type").add(typeName(key.type())).add("null");
        }
        ObjectNode bounded = property.has("items") ? (ObjectNode) property.get("items") : property;
        bound(bounded, "minimum", declared.min());
        bound(bounded, "exclusiveMinimum", declared.above());
        bound(bounded, "maximum", declared.max());
        bound(bounded, "exclusiveMaximum", declared.below());
        if (declared.size() > 0) {
            property.put("minItems", declared.size()).put("maxItems", declared.size());
        }
        Object byDefault = key.defaultValue();
        if (byDefault != null) {
            property.set(
                    "default",
                    node(Yaml.read(key.name(), key.type().write(byDefault)).resolve()));
        }
        boolean text = key.type() instanceof ValueType.Text;
        property.putArray("examples")
                .add(node(
                        text
                                ? declared.example()
                                : Yaml.read(key.name(), declared.example()).resolve()));
        return property;
    }

    private static void type(ObjectNode property, ValueType type) {
        if (type instanceof ValueType.Choice choice) {
            ArrayNode names = property.putArray("enum");
            choice.names().forEach(names::add);
        } else if (type instanceof ValueType.Texts) {
            ArrayNode either = property.putArray("anyOf");
            either.addObject().put("type", "string");
            either.addObject().put("type", "array").putObject("items").put("type", "string");
        } else if (type instanceof ValueType.Time) {
            property.putArray("type").add("number").add("string").add("null");
        } else {
            property.put("type", typeName(type));
            if (type instanceof ValueType.ListOf list) {
                type(property.putObject("items"), list.element());
            }
        }
    }

    private static String typeName(ValueType type) {
        if (type instanceof ValueType.WholeNumber) {
            return "integer";
        } else if (type instanceof ValueType.RealNumber) {
            return "number";
        } else if (type instanceof ValueType.TrueOrFalse) {
            return "boolean";
        } else if (type instanceof ValueType.ListOf) {
            return "array";
        } else if (type instanceof ValueType.Options) {
            return "object";
        }
        return "string";
    }

    private static void bound(ObjectNode node, String name, double bound) {
        if (Double.isFinite(bound)) {
            node.set(name, bound == Math.rint(bound) ? JSON.numberNode((long) bound) : JSON.numberNode(bound));
        }
    }

    private static JsonNode node(@Nullable Object value) {
        if (value instanceof Boolean flag) {
            return JSON.booleanNode(flag);
        } else if (value instanceof Long number) {
            return JSON.numberNode(number);
        } else if (value instanceof Double number) {
            return JSON.numberNode(number);
        } else if (value instanceof List<?> list) {
            ArrayNode array = JSON.arrayNode();
            list.forEach(item -> array.add(node(item)));
            return array;
        }
        if (value instanceof Map<?, ?> map) {
            ObjectNode object = JSON.objectNode();
            map.forEach((name, inner) -> object.set(String.valueOf(name), node(inner)));
            return object;
        }
        return JSON.stringNode(String.valueOf(value));
    }
}
