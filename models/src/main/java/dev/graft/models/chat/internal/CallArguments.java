package dev.graft.models.chat.internal;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The arguments of a filter, test or method, read by position or name. An argument that nobody reads is an error. */
final class CallArguments {

    private final String callee;
    private final List<@Nullable Object> positional;
    private final Map<String, @Nullable Object> named;
    private int taken;

    CallArguments(String callee, List<@Nullable Object> positional, Map<String, @Nullable Object> named) {
        this.callee = callee;
        this.positional = positional;
        this.named = new LinkedHashMap<>(named);
    }

    boolean hasNext(String name) {
        return taken < positional.size() || named.containsKey(name);
    }

    @Nullable
    Object next(String name, @Nullable Object absent) {
        if (taken < positional.size()) {
            if (named.containsKey(name)) {
                throw new TemplateError(callee + " gets the argument " + name + " twice");
            }
            return positional.get(taken++);
        }
        return named.containsKey(name) ? named.remove(name) : absent;
    }

    @Nullable
    Object require(String name) {
        if (!hasNext(name)) {
            throw new TemplateError(callee + " needs the argument " + name);
        }
        return next(name, null);
    }

    /** Returns an argument that is passed only by name. */
    @Nullable
    Object named(String name) {
        return named.remove(name);
    }

    boolean hasNamed(String name) {
        return named.containsKey(name);
    }

    String string(String name) {
        return asString(name, require(name));
    }

    @Nullable
    String string(String name, @Nullable String absent) {
        Object value = next(name, absent);
        return value == null ? null : asString(name, value);
    }

    private String asString(String name, @Nullable Object value) {
        TemplateValues.requireDefined(value);
        if (value instanceof String text) {
            return text;
        }
        throw new TemplateError(
                "the argument " + name + " of " + callee + " is a " + TemplateValues.type(value) + ", expected a str");
    }

    long integer(String name, long absent) {
        return PythonSequences.index(next(name, absent));
    }

    boolean truth(String name, boolean absent) {
        return PythonOperators.truth(next(name, absent));
    }

    /** Returns the remaining positional arguments. */
    List<@Nullable Object> rest() {
        List<@Nullable Object> rest = new ArrayList<>(positional.subList(taken, positional.size()));
        taken = positional.size();
        return rest;
    }

    Map<String, @Nullable Object> restNamed() {
        Map<String, @Nullable Object> rest = new LinkedHashMap<>(named);
        named.clear();
        return rest;
    }

    void finish() {
        if (taken < positional.size()) {
            throw new TemplateError(callee + " gets " + (positional.size() - taken) + " argument(s) too many");
        }
        if (!named.isEmpty()) {
            throw new TemplateError(
                    callee + " has no argument " + named.keySet().iterator().next() + " here");
        }
    }
}
