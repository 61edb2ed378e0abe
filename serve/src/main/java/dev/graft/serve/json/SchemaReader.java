package dev.graft.serve.json;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads a JSON Schema (2020-12): objects with {@code properties} and {@code required}, arrays with {@code items}, {@code minItems} and
 * {@code maxItems}, strings, numbers, booleans, null, {@code enum} and {@code const}, several types, {@code anyOf} whose alternatives begin
 * differently, and {@code $ref} to {@code $defs}. Other keywords are rejected by name.
 */
public final class SchemaReader {
    private static final int DEEPEST = 24;

    /** The maximum number of schemas and values, all together. */
    private static final int MOST = 2048;

    /** The fields that the schema of a function without arguments may have. */
    private static final Set<String> SAYS_NOTHING =
            Set.of("type", "properties", "required", "additionalProperties", "title", "description", "$schema");

    private final @Nullable Fields definitions;
    private final Set<String> open = new HashSet<>();
    private int depth;
    private int count;

    private SchemaReader(@Nullable Fields definitions) {
        this.definitions = definitions;
        if (definitions != null) {
            definitions.ignore(definitions.names().toArray(String[]::new));
        }
    }

    /**
     * Reads the schema of an object.
     *
     * @throws InputException if it is of another type, or has an unsupported keyword
     */
    public static Schema read(Fields root) {
        SchemaReader reader = new SchemaReader(root.objectOrNull("$defs"));
        Schema schema = reader.schema(root);
        if (!(schema instanceof Schema.ObjectValue)) {
            throw root.error("is of another type, expected an object with properties");
        }
        return schema;
    }

    /**
     * Creates the schema of a function call, {@code {"name": …, "arguments": {…}}}.
     *
     * @param arguments the name of the second field
     * @param parameters the schema of the arguments; null for none
     * @throws InputException if it is of another type, or has an unsupported keyword
     */
    public static Schema call(String name, String arguments, @Nullable Fields parameters) {
        Schema given = parameters == null || isEmpty(parameters) ? new Schema.ObjectValue(List.of()) : read(parameters);
        return new Schema.ObjectValue(List.of(
                new Schema.Property("name\"", true, new Schema.EnumValue(List.of(quoted(name)))),
                new Schema.Property(arguments + "\"", true, given)));
    }

    /** Returns whether a schema only says that there are no arguments. */
    private static boolean isEmpty(Fields f) {
        Fields properties = f.objectOrNull("properties");
        return SAYS_NOTHING.containsAll(f.names())
                && (properties == null || properties.names().isEmpty())
                && (f.node("type") == null || f.node("type").asString("").equals("object"))
                && f.strings("required", List.of()).isEmpty()
                && !f.bool("additionalProperties", false);
    }

    private Schema schema(Fields f) {
        if (++depth > DEEPEST) {
            throw f.error("is nested more than " + DEEPEST + " levels deep");
        }
        f.ignore("title", "description", "default", "examples", "$schema", "$id", "$comment");
        limit(f, 1);
        Schema schema = body(f);
        f.rejectUnread("It is not supported in a schema; leave it out and say in the prompt what you want");
        depth--;
        return schema;
    }

    private Schema body(Fields f) {
        String reference = f.stringOrNull("$ref");
        if (reference != null) {
            return referred(f, reference);
        }
        List<JsonNode> options = f.listOrNull("anyOf");
        if (options != null) {
            List<Schema> read = new ArrayList<>();
            for (JsonNode option : options) {
                read.add(schema(f.nested("anyOf[" + read.size() + "]", option)));
            }
            return union(f, read);
        }
        JsonNode constant = f.node("const");
        List<JsonNode> values = constant == null ? f.listOrNull("enum") : List.of(constant);
        if (values != null) {
            return values(f, values);
        }
        return f.has("type") || f.has("properties") ? typed(f) : Schema.ANY;
    }

    private Schema typed(Fields f) {
        JsonNode type = f.node("type");
        if (type == null || !type.isArray()) {
            return type(f, type);
        }
        List<Schema> read = new ArrayList<>();
        type.forEach(one -> read.add(type(f, one)));
        return union(f, read);
    }

    private Schema referred(Fields f, String reference) {
        String name = reference.startsWith("#/$defs/") ? reference.substring(8) : "";
        if (definitions == null || !definitions.has(name)) {
            throw f.invalid("$ref", "the place of a schema in $defs, such as #/$defs/name");
        }
        if (!open.add(name)) {
            throw f.error("$ref", "names the schema " + name + ", which refers to itself; that is not supported");
        }
        JsonNode definition = Objects.requireNonNull(definitions.node(name));
        Schema schema = schema(definitions.nested(name, definition));
        open.remove(name);
        return schema;
    }

    private static Schema union(Fields f, List<Schema> options) {
        boolean apart = !options.isEmpty();
        for (int b = 0; b < 128; b++) {
            int first = b;
            apart &= options.stream().filter(option -> option.mayBegin(first)).count() <= 1;
        }
        if (!apart) {
            throw f.error("has no alternatives, or some that begin alike, which is not supported");
        }
        return options.size() == 1 ? options.get(0) : new Schema.AnyOf(options);
    }

    private Schema values(Fields f, List<JsonNode> values) {
        Schema type = f.has("type") ? typed(f) : Schema.ANY;
        List<String> literals = new ArrayList<>();
        for (JsonNode value : values) {
            if (value.isContainer() || !isOf(type, value)) {
                throw f.error(
                        f.has("const") ? "const" : "enum",
                        "may have texts, numbers, booleans and null, of the type if one is named");
            }
            literals.add(written(value));
        }
        limit(f, literals.size());
        if (literals.isEmpty()) {
            throw f.invalid("enum", "at least one value");
        }
        return new Schema.EnumValue(literals);
    }

    /** Returns whether a value, no object or array, has a type. A whole number must be written as one: 1.0 is none. */
    private static boolean isOf(Schema type, JsonNode value) {
        if (type instanceof Schema.AnyOf anyOf) {
            return anyOf.options().stream().anyMatch(option -> isOf(option, value));
        }
        if (type instanceof Schema.EnumValue one) {
            return one.literals().contains(written(value));
        }
        if (type instanceof Schema.NumberValue number) {
            return number.integer() ? value.isIntegralNumber() : value.isNumber();
        }
        return type instanceof Schema.StringValue ? value.isString() : type instanceof Schema.AnyValue;
    }

    private void limit(Fields f, int more) {
        count += more;
        if (count > MOST) {
            throw f.error("goes beyond the " + MOST + " parts and values that a schema may have");
        }
    }

    private Schema type(Fields f, @Nullable JsonNode type) {
        return switch (type == null ? "object" : type.isString() ? type.stringValue() : "") {
            case "string" -> new Schema.StringValue();
            case "number" -> new Schema.NumberValue(false);
            case "integer" -> new Schema.NumberValue(true);
            case "boolean" -> new Schema.EnumValue(List.of("true", "false"));
            case "null" -> new Schema.EnumValue(List.of("null"));
            case "array" -> items(f);
            case "object" -> struct(f);
            default -> throw f.invalid("type", "string, number, integer, boolean, null, array, object or some of them");
        };
    }

    private Schema items(Fields f) {
        Fields items = f.objectOrNull("items");
        Schema each = items == null ? Schema.ANY : schema(items);
        int least = f.integer("minItems", 0, 0);
        return new Schema.ArrayValue(each, least, f.integer("maxItems", Integer.MAX_VALUE, least));
    }

    private Schema struct(Fields f) {
        Fields properties = f.object("properties");
        boolean others = f.bool("additionalProperties", true);
        Set<String> required = new LinkedHashSet<>(f.strings("required", List.of()));
        List<Schema.Property> read = new ArrayList<>();
        for (String name : properties.names()) {
            read.add(new Schema.Property(
                    quoted(name).substring(1), required.contains(name), schema(properties.object(name))));
        }
        for (String name : required) {
            if (!properties.has(name)) {
                throw f.error("required", "has " + name + ", which is not among the properties");
            }
        }
        if (read.isEmpty() && others) {
            throw f.error(
                    "properties",
                    "is empty, so that only {} would answer it; name the properties, or say"
                            + " \"additionalProperties\": false if {} is meant");
        }
        return new Schema.ObjectValue(read);
    }

    /** Returns a value as JSON, one character for each byte. */
    private static String written(JsonNode value) {
        return value.isString() ? quoted(value.stringValue()) : Json.compact(value);
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < ' ') {
                quoted.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                quoted.append(c == '"' || c == '\\' ? "\\" : "").append(c);
            }
        }
        byte[] bytes = quoted.append('"').toString().getBytes(StandardCharsets.UTF_8);
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
