package dev.graft.run.doctor;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/**
 * The folders and variables that checks read.
 *
 * @param root the folder that holds {@code proc} and {@code sys}
 */
public record HostSystem(Path root, Path home, Map<String, String> environment) {

    public static HostSystem current() {
        return new HostSystem(Path.of("/"), Path.of(System.getProperty("user.home")), System.getenv());
    }

    /** An environment variable that is set to something. */
    Optional<String> variable(String name) {
        return Optional.ofNullable(environment.get(name)).filter(value -> !value.isBlank());
    }

    /** The text of a file below the root, such as {@code proc/meminfo}, if there is one that may be read. */
    Optional<String> text(String file) {
        try {
            return Optional.of(Files.readString(root.resolve(file), StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The program that a shell would start for {@code name}. */
    Optional<Path> program(String name) {
        return Arrays.stream(environment.getOrDefault("PATH", "").split(File.pathSeparator))
                .filter(folder -> !folder.isEmpty())
                .map(folder -> Path.of(folder, name))
                .filter(Files::isExecutable)
                .findFirst();
    }
}
