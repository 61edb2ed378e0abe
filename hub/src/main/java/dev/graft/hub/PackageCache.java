package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Packages unpacked once: {@code <cache>/maven/<group>/<artifact>/<version>} and {@code <cache>/pypi/<name>/<version>}. Each has {@code files/}
 * and, written in the same step, {@code source.json} (source, artifact, its SHA-256, licence). A folder that exists is complete.
 */
record PackageCache(Path root) {

    /** Downloads an artifact to {@code destination}; {@code work} is a separate empty folder. */
    @FunctionalInterface
    interface Client {
        void fetch(Path work, Path destination, long bytes);
    }

    /** Returns the unpacked files of a package; {@code client} fetches them if they are missing. */
    Path files(Source source, Path key, DownloadProgress progress, Client client) {
        Path home = root.resolve(key);
        Path files = home.resolve("files");
        if (Files.isDirectory(files)) {
            return files;
        }
        try (LockFile lock = LockFile.acquire(root.resolve("locks").resolve(key + ".lock"), progress)) {
            if (!Files.isDirectory(files)) {
                fetch(source, home, progress, client);
            }
            return files;
        }
    }

    private void fetch(Source source, Path home, DownloadProgress progress, Client client) {
        Path scratch = home.resolveSibling("." + home.getFileName() + ".fetch"); // ours alone: the lock is held
        try {
            delete(scratch);
            Path work = Files.createDirectories(scratch.resolve("work"));
            Path destination = Files.createDirectories(scratch.resolve("artifact"));
            var known = Catalogue.artifact(source.toString());
            client.fetch(work, destination, known.map(Catalogue.Artifact::bytes).orElse(-1L));
            Path artifact = only(source, destination);
            String sha256 = Fingerprint.of(artifact);
            known.map(Catalogue.Artifact::sha256).ifPresent(expected -> check(source, artifact, expected, sha256));
            AtomicWrite.folder(home, folder -> {
                ArchiveExtractor.unpack(artifact, Files.createDirectories(folder.resolve("files")), progress);
                ObjectNode marker = JsonNodeFactory.instance.objectNode();
                marker.put("source", source.toString());
                marker.put("artifact", artifact.getFileName().toString());
                marker.put("sha256", sha256);
                marker.put("licence", known.map(Catalogue.Artifact::licence).orElse("see the package"));
                AtomicWrite.text(folder.resolve("source.json"), Json.pretty(marker));
            });
        } catch (IOException e) {
            throw new UncheckedIOException(source + ": cannot write into the cache " + root + ": " + e, e);
        } finally {
            deleteQuietly(scratch);
        }
    }

    private static Path only(Source source, Path folder) throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            List<Path> found = list.toList();
            if (found.size() != 1) {
                throw new FetchException(source + ": expected its client to leave one file, found " + found.size());
            }
            return found.get(0);
        }
    }

    private static void check(Source source, Path artifact, String expected, String actual) {
        if (!expected.equals(actual)) {
            throw new FetchException(
                    source + ": " + artifact.getFileName() + " has SHA-256 " + actual + ", expected " + expected
                            + "; it was not unpacked. The repository or mirror serves another file under this version:"
                            + " check its settings.");
        }
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    private static void deleteQuietly(Path folder) {
        try {
            delete(folder);
        } catch (IOException e) {
            // the next fetch of this package deletes it first, and then says why it cannot
        }
    }
}
