package dev.graft.run.methods;

import dev.graft.formats.Json;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * An option of a method.
 *
 * @param byDefault its value where nothing is given; null where the base decides
 * @param fromBase whether the default is another one on another base
 * @param peft PEFT's default, or null where PEFT has none
 * @param type what values it takes, in words
 * @param meaning what it does; empty where that is not known
 */
public record MethodOption(
        String name,
        JsonNode byDefault,
        boolean fromBase,
        @Nullable JsonNode peft,
        String type,
        String meaning) {
    /** Returns an option that counts only where it is given. */
    static MethodOption withoutDefault(String name, String meaning) {
        return new MethodOption(
                name, JsonNodeFactory.instance.nullNode(), false, null, "only where it is given", meaning);
    }

    public String shownDefault() {
        return fromBase ? "by the base" : shown(byDefault);
    }

    /** PEFT's default in words; empty where it is the same. */
    public String shownPeftDefault() {
        JsonNode theirs = peft;
        return fromBase || theirs == null || equal(theirs, byDefault) ? "" : shown(theirs);
    }

    private static boolean equal(JsonNode a, JsonNode b) {
        return a.equals(b) || a.isNumber() && b.isNumber() && a.doubleValue() == b.doubleValue();
    }

    private static String shown(JsonNode value) {
        return value.isNull() ? "not set" : Json.compact(value);
    }
}
