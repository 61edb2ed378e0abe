package dev.graft.peft.methods.hybrid;

import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import dev.graft.models.Base;
import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import dev.graft.peft.methods.internal.AdapterHubFields;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** The configurations of methods inside another method's: AdapterHub's list of a union, and single ones. */
final class MethodList {
    static final String PARTS = "configs";
    static final String UNION = "union";

    private MethodList() {}

    static void write(ObjectNode c, List<Method> parts, Base base) {
        c.put("architecture", UNION);
        ArrayNode array = c.putArray(PARTS);
        for (Method part : parts) {
            ObjectNode json = array.addObject();
            if (part.type().layout() != Method.Layout.ADAPTER_HUB) {
                json.put("peft_type", part.type().peftType());
            }
            part.write(json, base);
        }
    }

    /** Reads the methods of a list of configurations. */
    static List<Method> read(Fields f, Base base) {
        f.choice("architecture", UNION, UNION);
        List<Method> parts = new ArrayList<>();
        List<JsonNode> nodes = f.list(PARTS);
        for (int i = 0; i < nodes.size(); i++) {
            Fields part = Fields.of(f.source() + ": " + PARTS + "[" + i + "]", nodes.get(i));
            parts.add(part(part, nodes.get(i), base));
            part.rejectUnread("It may change what the adapter means; remove it if it does not.");
        }
        return parts;
    }

    /** One part: AdapterHub's configuration, PEFT's with its {@code peft_type}, or Graft's with {@code method} and some options. */
    static Method part(Fields part, @Nullable JsonNode node, Base base) {
        if (node == null) {
            throw new FormatException(part.source(), "has no method", null);
        }
        if (part.has("method")) {
            Method.Type type = Methods.named(part.string("method"));
            ObjectNode all = JsonNodeFactory.instance.objectNode();
            type.defaults().write(all, base);
            node.properties().forEach(option -> {
                part.ignore(option.getKey());
                all.set(option.getKey(), option.getValue());
            });
            all.remove("method");
            Fields fields = Fields.of(part.source(), Json.parse(part.source(), Json.compact(all)));
            Method method = type.read(fields, base);
            fields.rejectUnread("`graft methods " + type.name() + "` lists the options of this method.");
            return method;
        }
        for (Method.Type type : Methods.all()) {
            boolean hub = type.layout() == Method.Layout.ADAPTER_HUB;
            if (hub ? !part.has("peft_type") && type.matches(part) : isOf(type, part) && type.matches(part)) {
                return type.read(part, base);
            }
        }
        throw new FormatException(part.source(), "is of no method that is supported", null);
    }

    private static boolean isOf(Method.Type type, Fields part) {
        return part.has("peft_type") && part.string("peft_type").equals(type.peftType());
    }

    /** Returns whether the parts are these, in this order, by {@link Method.Type#matches}. */
    static boolean isOf(Fields f, Method.Type... types) {
        if (!AdapterHubFields.isOf(f, UNION)) {
            return false;
        }
        JsonNode nodes = f.node(PARTS);
        if (nodes == null || !nodes.isArray() || nodes.size() != types.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            if (!nodes.get(i).isObject()) {
                return false;
            }
            Fields part = Fields.of(f.source(), nodes.get(i));
            if (part.has("peft_type") || part.has("method") || !types[i].matches(part)) {
                return false;
            }
        }
        return true;
    }
}
