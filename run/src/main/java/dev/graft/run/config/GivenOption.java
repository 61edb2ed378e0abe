package dev.graft.run.config;

/**
 * One option as a person gave it.
 *
 * @param name the name as written, with underscores
 * @param origin where and how it was written, for messages: {@code recipes/x.yaml:3: lr}, {@code --lr}
 */
record GivenOption(String name, YamlValue value, String origin) {

    GivenOption named(String other, YamlValue otherValue) {
        return new GivenOption(other, otherValue, origin);
    }
}
