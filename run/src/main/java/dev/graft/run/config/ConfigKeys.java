package dev.graft.run.config;

import dev.graft.peft.Method;
import dev.graft.peft.Methods;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** All options of {@link RunConfig} by name, in the order of their declaration, and their aliases. */
public final class ConfigKeys {
    public static final Map<String, ConfigKey> RUN = new LinkedHashMap<>();
    public static final Map<String, ConfigKey> LOW_RANK = new LinkedHashMap<>();

    /** Other names to names; those of a method's options have the name that comes after the dot, with the dot: {@code .r}. */
    static final Map<String, String> ALIASES = new LinkedHashMap<>();

    /** Methods whose options {@link LoraOptions} describes. */
    static final List<String> LOW_RANK_METHODS = Methods.all().stream()
            .filter(type -> type.peftType().equals("LORA"))
            .map(Method.Type::name)
            .toList();

    static {
        for (RecordComponent section : RunConfig.class.getRecordComponents()) {
            ConfigSection topic = section.getAnnotation(ConfigSection.class);
            if (topic != null) {
                for (RecordComponent component : section.getType().getRecordComponents()) {
                    ConfigKey key = ConfigKey.of(topic.prefix(), topic.value(), component);
                    RUN.put(key.name(), key);
                    addAliases(key, key.name());
                }
            }
        }
        for (RecordComponent component : LoraOptions.class.getRecordComponents()) {
            ConfigKey key = ConfigKey.of("", "Options of LoRA and its kin", component);
            LOW_RANK.put(key.name(), key);
            addAliases(key, "." + key.name());
        }
    }

    static final ConfigKey METHOD = Objects.requireNonNull(RUN.get("method"));
    static final ConfigKey COMPAT = Objects.requireNonNull(RUN.get("compat"));

    private ConfigKeys() {}

    /** The options of a section that are set, by their names in recipes, such as {@code preference.beta}. */
    public static Map<String, Object> given(String prefix, Record section) {
        Map<String, Object> given = new LinkedHashMap<>();
        for (RecordComponent component : section.getClass().getRecordComponents()) {
            Object value = get(component, section);
            if (value != null) {
                given.put(ConfigKey.of(prefix, "", component).name(), value);
            }
        }
        return given;
    }

    /** The value of a component of a record; null where an option isn't set. */
    static @Nullable Object get(RecordComponent component, Object record) {
        try {
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void addAliases(ConfigKey key, String canonical) {
        for (String alias : key.declaration().aliases()) {
            if (RUN.containsKey(alias) || ALIASES.put(alias, canonical) != null) {
                throw new IllegalStateException(alias + " names two options");
            }
        }
    }

    /** Returns all names that a misspelt one may mean. */
    static Collection<String> candidates(String method) {
        List<String> names = new ArrayList<>(RUN.keySet());
        LOW_RANK.keySet().forEach(option -> names.add(method + "." + option));
        names.addAll(ALIASES.keySet());
        names.addAll(OtherTrainerOptions.names());
        return names;
    }
}
