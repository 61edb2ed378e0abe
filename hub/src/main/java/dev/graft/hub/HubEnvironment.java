package dev.graft.hub;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The environment variables that determine the places of files and the use of the network. */
record HubEnvironment(Map<String, String> variables) {
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");

    HubEnvironment {
        variables = Map.copyOf(variables);
    }

    /** Returns a variable if it is set and not blank. */
    Optional<String> get(String name) {
        return Optional.ofNullable(variables.get(name)).map(String::strip).filter(value -> !value.isEmpty());
    }

    /** Returns whether a switch is on, with huggingface_hub's values: 1, ON, YES or TRUE in any case. */
    boolean isTrue(String name) {
        return get(name)
                .map(value -> TRUE.contains(value.toUpperCase(Locale.ROOT)))
                .orElse(false);
    }

    Optional<Path> path(String name) {
        return get(name).map(value -> value.startsWith("~/") ? home().resolve(value.substring(2)) : Path.of(value));
    }

    Path home() {
        return Path.of(get("HOME").orElse(System.getProperty("user.home")));
    }

    /** {@code GRAFT_CACHE}, else {@code ~/.cache/graft}. */
    Path cache() {
        return path("GRAFT_CACHE")
                .orElseGet(() -> home().resolve(".cache").resolve("graft"))
                .toAbsolutePath();
    }

    /** Returns the name of the variable that forbids the network, if one does. */
    Optional<String> offline() {
        return Stream.of("GRAFT_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
                .filter(this::isTrue)
                .findFirst();
    }

    /** Finds an executable on the search path. */
    Optional<Path> executable(String name) {
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
