package dev.graft.hub.internal;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The environment variables that decide where files lie and whether the network may be used. */
public record Environment(Map<String, String> variables) {
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");

    public Environment {
        variables = Map.copyOf(variables);
    }

    /** A variable that is set and not blank. */
    public Optional<String> get(String name) {
        return Optional.ofNullable(variables.get(name)).map(String::strip).filter(value -> !value.isEmpty());
    }

    /** As huggingface_hub reads its switches: 1, ON, YES or TRUE in any case. */
    public boolean isTrue(String name) {
        return get(name)
                .map(value -> TRUE.contains(value.toUpperCase(Locale.ROOT)))
                .orElse(false);
    }

    public Optional<Path> path(String name) {
        return get(name).map(value -> value.startsWith("~/") ? home().resolve(value.substring(2)) : Path.of(value));
    }

    public Path home() {
        return Path.of(get("HOME").orElse(System.getProperty("user.home")));
    }

    /** {@code GRAFT_CACHE}, else {@code ~/.cache/graft}. */
    public Path cache() {
        return path("GRAFT_CACHE")
                .orElseGet(() -> home().resolve(".cache").resolve("graft"))
                .toAbsolutePath();
    }

    /** The name of the variable that forbids the network, if one does. */
    public Optional<String> offline() {
        return Stream.of("GRAFT_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
                .filter(this::isTrue)
                .findFirst();
    }

    /** An executable on the search path. */
    public Optional<Path> executable(String name) {
        for (String folder : get("PATH").orElse("").split(File.pathSeparator)) {
            for (String suffix :
                    File.separatorChar == '\\' ? new String[] {".exe", ".cmd", ".bat"} : new String[] {""}) {
                Path file = Path.of(folder, name + suffix);
                if (!folder.isEmpty() && Files.isRegularFile(file) && Files.isExecutable(file)) {
                    return Optional.of(file.toAbsolutePath());
                }
            }
        }
        return Optional.empty();
    }
}
