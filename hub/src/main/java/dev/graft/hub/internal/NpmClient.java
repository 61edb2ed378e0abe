package dev.graft.hub.internal;

import dev.graft.hub.FetchException;
import dev.graft.hub.Progress;
import dev.graft.hub.Source;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Lets the installed {@code npm} fetch a package, with whatever registry and proxies its configuration has; no script of it runs. */
public record NpmClient(Environment environment) {

    /** Puts the package into {@code destination}; {@code work} is an empty folder for the run. */
    public void fetch(Source.Npm source, Path work, Path destination, long bytes, Progress progress) {
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
        Command command =
                Command.run(words, work, environment.variables(), destination, "npm " + name, bytes, progress);
        if (command.exitCode() != 0) {
            throw new FetchException(source + ": npm ended with exit code " + command.exitCode()
                    + ". To see it by itself run:\n  npm pack " + name + "\nIt said:\n" + command.tail());
        }
    }
}
