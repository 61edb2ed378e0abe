package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Loop;
import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Namespace;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * {@code value.name} and {@code value[key]}. The first looks for a method, then for a key; the second looks for a key
 * first.
 */
final class Attributes {

    private Attributes() {}

    static @Nullable Object attribute(@Nullable Object value, String name) {
        TemplateValues.requireDefined(value);
        requirePlain(value);
        if (value != null && PythonMethods.has(value, name)) {
            return PythonMethods.bind(value, name);
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
        if (value instanceof TemplateValues.Function) {
            throw new TemplateError("attributes of a " + TemplateValues.type(value) + " are not supported");
        }
        if (name.startsWith("__")) {
            throw new TemplateError(
                    "access to attribute '" + name + "' of a " + TemplateValues.type(value) + " is unsafe");
        }
        return missing(value, name);
    }

    static @Nullable Object item(@Nullable Object value, @Nullable Object key) {
        TemplateValues.requireDefined(value);
        requirePlain(value);
        TemplateValues.requireDefined(key);
        if (value instanceof Map<?, ?> map) {
            Object plain = DictKeys.of(key);
            if (map.containsKey(plain)) {
                return map.get(plain);
            }
        } else if ((value instanceof List || value instanceof String)
                && (key instanceof Long || key instanceof Boolean)) {
            return PythonSequences.at(value, PythonSequences.index(key));
        }
        return key instanceof String name ? attribute(value, name) : missing(value, key);
    }

    private static void requirePlain(@Nullable Object value) {
        if (value instanceof Markup) {
            throw new TemplateError(
                    "attributes after 'safe' are not supported; leave 'safe' out, templates of text need none");
        }
    }

    /** Resolves a path such as {@code a.b.0}, the form that filters accept. */
    static @Nullable Object path(@Nullable Object value, @Nullable Object path) {
        if (!(path instanceof String names)) {
            return item(value, path);
        }
        Object found = value;
        for (Object part : PythonString.split(names, ".", -1)) {
            String name = (String) part;
            boolean index = !name.isEmpty() && name.chars().allMatch(Character::isDigit);
            found = item(found, index ? (Object) Long.parseLong(name) : name);
        }
        return found;
    }

    private static Undefined missing(@Nullable Object value, @Nullable Object key) {
        String shown = value == null ? "None" : "a " + TemplateValues.type(value);
        return new Undefined(shown + " has no attribute or key " + PythonRepr.repr(key));
    }
}
