package dev.graft.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Downloads a Debian package through the installed {@code apt-get}, which checks it against the signed index; nothing is installed.
 */
record AptClient(HubEnvironment environment) {

    /** Downloads the package to {@code destination}; {@code work} is an empty folder for the run. */
    void fetch(Source.Apt source, Path work, Path destination, long bytes, DownloadProgress progress) {
        environment.offline().ifPresent(variable -> {
            throw new FetchException(
                    source + " is not in the cache and " + variable + " is set: fetch it once while online");
        });
        String name = source.name() + "=" + source.version();
        Path apt = environment
                .executable("apt-get")
                .orElseThrow(() -> new FetchException(
                        source + " is a package of Debian and needs apt-get, which this machine doesn't have."));
        CommandResult command = CommandResult.run(
                List.of(apt.toString(), "download", name),
                work,
                environment.variables(),
                work,
                "apt " + name,
                bytes,
                progress);
        if (command.exitCode() != 0) {
            throw new FetchException(source + ": apt-get ended with exit code " + command.exitCode()
                    + ". Its index may be old (apt-get update), or this release has another version. To see it by"
                    + " itself run:\n"
                    + "  apt-get"
                    + " download"
                    + " " + name + "\nIt said:\n" + command.tail());
        }
        try (Stream<Path> files = Files.list(work)) {
            for (Path file :
                    files.filter(each -> each.toString().endsWith(".deb")).toList()) {
                Files.move(file, destination.resolve(file.getFileName()));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
