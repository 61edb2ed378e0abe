package dev.graft.cli.config;

/**
 * One option as a person gave it.
 *
 * @param name the name as written, with underscores
 * @param origin where and how it was written, for messages: {@code recipes/x.yaml:3: lr}, {@code --lr}
 */
record Setting(String name, YamlValue value, String origin) {

    Setting named(String other, YamlValue otherValue) {
        return new Setting(other, otherValue, origin);
    }
}
