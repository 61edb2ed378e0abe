package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.Values.Loop;
import dev.graft.models.chat.internal.Values.Markup;
import dev.graft.models.chat.internal.Values.Namespace;
import dev.graft.models.chat.internal.Values.Undefined;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code value.name} and {@code value[key]}: the first looks for a method, then for a key; the second the other way round. */
final class Attributes {

    private Attributes() {}

    static @Nullable Object attribute(@Nullable Object value, String name) {
        Operators.requireDefined(value);
        requirePlain(value);
        if (value != null && Methods.has(value, name)) {
            return Methods.bind(value, name);
        }
        if (value instanceof Namespace namespace) {
            return namespace.attributes().containsKey(name)
                    ? namespace.attributes().get(name)
                    : missing(value, name);
        }
        if (value instanceof Loop loop) {
            return loop.attributes().containsKey(name) ? loop.attributes().get(name) : missing(value, name);
        }
        if (value instanceof Map<?, ?> map && map.containsKey(name)) {
            return map.get(name);
        }
        if (value instanceof Values.Function) {
            throw new TemplateError("attributes of a " + Values.type(value) + " are not supported");
        }
        if (name.startsWith("__")) {
            throw new TemplateError("access to attribute '" + name + "' of a " + Values.type(value) + " is unsafe");
        }
        return missing(value, name);
    }

    static @Nullable Object item(@Nullable Object value, @Nullable Object key) {
        Operators.requireDefined(value);
        requirePlain(value);
        Operators.requireDefined(key);
        if (value instanceof Map<?, ?> map) {
            Object plain = Keys.of(key);
            if (map.containsKey(plain)) {
                return map.get(plain);
            }
        } else if ((value instanceof List || value instanceof String)
                && (key instanceof Long || key instanceof Boolean)) {
            return Sequences.at(value, Sequences.index(key));
        }
        return key instanceof String name ? attribute(value, name) : missing(value, key);
    }

    private static void requirePlain(@Nullable Object value) {
        if (value instanceof Markup) {
            throw new TemplateError(
                    "attributes after 'safe' are not supported; leave 'safe' out, templates of text need none");
        }
    }

    /** {@code a.b.0}, as filters take it. */
    static @Nullable Object path(@Nullable Object value, @Nullable Object path) {
        if (!(path instanceof String names)) {
            return item(value, path);
        }
        Object found = value;
        for (Object part : PyText.split(names, ".", -1)) {
            String name = (String) part;
            boolean index = !name.isEmpty() && name.chars().allMatch(Character::isDigit);
            found = item(found, index ? (Object) Long.parseLong(name) : name);
        }
        return found;
    }

    private static Undefined missing(@Nullable Object value, @Nullable Object key) {
        String shown = value == null ? "None" : "a " + Values.type(value);
        return new Undefined(shown + " has no attribute or key " + Display.repr(key));
    }
}
