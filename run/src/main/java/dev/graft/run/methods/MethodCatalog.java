package dev.graft.run.methods;

import dev.graft.formats.Fields;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.Json;
import dev.graft.peft.Method;
import java.io.IOException;
import java.io.InputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The descriptions of all methods. A test of this module writes the file from the methods and their Javadoc. */
public final class MethodCatalog {
    private static final String FILE = "methods.json";

    private static final Map<String, MethodEntry> BUILT_IN = read();

    private MethodCatalog() {}

    /** Returns the description of a method; of one from another jar only its options and their defaults. */
    public static MethodEntry describe(Method.Type type) {
        MethodEntry entry = BUILT_IN.get(type.name());
        return entry != null ? entry : describeForeign(type);
    }

    private static Map<String, MethodEntry> read() {
        try (InputStream in = Objects.requireNonNull(MethodCatalog.class.getResourceAsStream(FILE), FILE)) {
            Fields methods = Fields.of(FILE, Json.parse(FILE, in.readAllBytes()));
            Map<String, MethodEntry> entries = new LinkedHashMap<>();
            methods.names().forEach(name -> entries.put(name, entry(methods.object(name))));
            methods.rejectUnread("");
            return entries;
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + FILE, e);
        }
    }

    private static MethodEntry entry(Fields method) {
        return new MethodEntry(
                true,
                method.string("family"),
                method.strings("effects"),
                method.strings("adapted_kinds"),
                String.join("\n", method.strings("documentation")),
                method.list("options").stream()
                        .map(option -> option(method.nested("options", option)))
                        .toList());
    }

    private static MethodOption option(Fields option) {
        JsonNode byDefault = option.node("default");
        MethodOption read = new MethodOption(
                option.string("name"),
                byDefault == null ? JsonNodeFactory.instance.nullNode() : byDefault,
                option.bool("default_from_base", false),
                option.node("peft_default"),
                option.string("type"),
                option.string("meaning", ""));
        option.rejectUnread("");
        return read;
    }

    /** The description of a method that is not in the file: its options are what it writes. */
    private static MethodEntry describeForeign(Method.Type type) {
        ObjectNode written = MethodFactory.defaults(type, ProbeBase.of(2, 256));
        ObjectNode elsewhere = MethodFactory.defaults(type, ProbeBase.of(3, 512));
        Map<String, MethodOption> options = new TreeMap<>();
        written.properties().forEach(field -> {
            String name = MethodFactory.option(type, field.getKey(), written);
            boolean fromBase = !field.getValue().equals(elsewhere.get(field.getKey()));
            options.put(name, new MethodOption(name, field.getValue(), fromBase, null, typeOf(field.getValue()), ""));
        });
        type.optional().forEach((name, meaning) -> options.put(name, MethodOption.withoutDefault(name, meaning)));
        return new MethodEntry(
                false,
                "other",
                List.of(),
                List.of(),
                "This method comes from another jar. Its effects and the meanings of its options are not known here.",
                List.copyOf(options.values()));
    }

    private static String typeOf(JsonNode value) {
        return switch (value.getNodeType()) {
            case BOOLEAN -> "true or false";
            case NUMBER -> value.isInt() ? "integer" : "number";
            case STRING -> "text";
            case ARRAY -> "list";
            case OBJECT -> "values by name";
            default -> "not known";
        };
    }
}
