package dev.graft.models.chat.internal;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Variables. Loops, macros and captured blocks have their own, which end with them; conditions do not. */
final class TemplateScope {

    private final @Nullable TemplateScope outer;
    private final Map<String, @Nullable Object> variables = new HashMap<>();

    TemplateScope(@Nullable TemplateScope outer) {
        this.outer = outer;
    }

    boolean has(String name) {
        return variables.containsKey(name) || (outer != null && outer.has(name));
    }

    @Nullable
    Object get(String name) {
        return variables.containsKey(name) || outer == null ? variables.get(name) : outer.get(name);
    }

    void set(String name, @Nullable Object value) {
        variables.put(name, value);
    }
}
