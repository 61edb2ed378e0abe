package dev.graft.run.config;

import java.lang.reflect.RecordComponent;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes a config as a recipe that reproduces the run, with a comment for each option and the command in the header.
 */
public final class RecipeWriter {
    private RecipeWriter() {}

    /**
     * Returns the recipe as YAML.
     *
     * @param command the command that started the run, for the header
     */
    public static String write(RunConfig config, String command) {
        StringBuilder yaml = new StringBuilder(
                "# The resolved config of a Graft run. Started with:\n#   " + command.replaceAll("\\R", " ") + "\n");
        for (RecordComponent section : RunConfig.class.getRecordComponents()) {
            ConfigSection topic = section.getAnnotation(ConfigSection.class);
            if (topic == null) {
                methodOptions(yaml, config);
            } else {
                yaml.append("\n# ").append(topic.value()).append('\n');
                String indent = topic.prefix().isEmpty() ? "" : "  ";
                if (!indent.isEmpty()) {
                    yaml.append(topic.prefix()).append(":\n");
                }
                Object values = Objects.requireNonNull(ConfigKeys.get(section, config));
                for (RecordComponent component : section.getType().getRecordComponents()) {
                    ConfigKey key = ConfigKey.of("", topic.value(), component);
                    line(yaml.append(indent), key, ConfigKeys.get(component, values));
                }
            }
        }
        return yaml.toString();
    }

    private static void methodOptions(StringBuilder yaml, RunConfig config) {
        if (config.methodOptions().isEmpty()) {
            return;
        }
        String method = config.base().method();
        yaml.append('\n')
                .append("# Options of ")
                .append(method)
                .append('\n')
                .append(method)
                .append(":\n");
        Map<String, Object> sorted = new TreeMap<>(config.methodOptions());
        sorted.forEach((name, value) -> {
            ConfigKey key = ConfigKeys.LOW_RANK_METHODS.contains(method) ? ConfigKeys.LOW_RANK.get(name) : null;
            yaml.append("  ").append(name).append(": ").append(YamlText.inline(value));
            yaml.append(key == null ? "\n" : "  # " + key.declaration().value() + "\n");
        });
    }

    private static void line(StringBuilder yaml, ConfigKey key, @Nullable Object value) {
        yaml.append(key.name()).append(':');
        if (value != null) {
            yaml.append(' ').append(key.type().write(value));
        }
        yaml.append("  # ").append(key.declaration().value());
        if (value == null) {
            yaml.append("; unset: ").append(key.declaration().unset());
        }
        yaml.append('\n');
    }
}
