package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/**
 * One repository in the shared cache of Python's huggingface_hub: {@code blobs/<etag>}, {@code snapshots/<commit>/<file>} as relative links to
 * blobs, {@code refs/<branch or tag>} holding a commit, {@code trees/<commit>.json} listing its files.
 *
 * @param hub the folder of all repositories ({@code HF_HUB_CACHE})
 * @param folder {@code models--org--name} in it
 */
record HfCache(Path hub, Path folder) {

    static HfCache of(HubEnvironment environment, String repository) {
        Path hub = environment
                .path("HF_HUB_CACHE")
                .or(() -> environment.path("HUGGINGFACE_HUB_CACHE"))
                .orElseGet(() -> home(environment).resolve("hub"))
                .toAbsolutePath();
        return new HfCache(hub, hub.resolve("models--" + repository.replace("/", "--")));
    }

    /** {@code HF_HOME}, else {@code huggingface} in the user's cache folder. */
    static Path home(HubEnvironment environment) {
        return environment
                .path("HF_HOME")
                .orElseGet(() -> environment
                        .path("XDG_CACHE_HOME")
                        .orElseGet(() -> environment.home().resolve(".cache"))
                        .resolve("huggingface"));
    }

    /** Returns the commit of a revision according to the cache; a commit is returned as it is. */
    Optional<String> commit(String revision) {
        if (isCommit(revision)) {
            return Optional.of(revision);
        }
        Path ref = folder.resolve("refs").resolve(revision);
        try {
            return Files.isRegularFile(ref)
                    ? Optional.of(Files.readString(ref, StandardCharsets.UTF_8).strip())
                            .filter(HfCache::isCommit)
                    : Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + ref + ": " + e, e);
        }
    }

    static boolean isCommit(String revision) {
        return revision.matches("[0-9a-f]{40}");
    }

    void remember(String revision, String commit) {
        if (!commit(revision).equals(Optional.of(commit))) {
            AtomicWrite.text(folder.resolve("refs").resolve(revision), commit);
        }
    }

    Path snapshot(String commit) {
        return folder.resolve("snapshots").resolve(commit);
    }

    boolean has(String commit, String file) {
        return Files.isRegularFile(snapshot(commit).resolve(file));
    }

    Path blob(String etag) {
        return folder.resolve("blobs").resolve(etag);
    }

    Path lock(String etag) {
        return hub.resolve(".locks").resolve(folder.getFileName()).resolve(etag + ".lock");
    }

    /**
     * Links {@code snapshots/<commit>/<file>} to a blob, relatively, or copies the blob where the disk has no links.
     */
    void link(String commit, String file, String etag) {
        Path pointer = snapshot(commit).resolve(file);
        try {
            Path parent = Objects.requireNonNull(pointer.getParent());
            Files.createDirectories(parent);
            if (Files.isSymbolicLink(pointer) && !Files.exists(pointer)) {
                Files.delete(pointer); // its blob was removed
            }
            try {
                Files.createSymbolicLink(pointer, parent.relativize(blob(etag)));
            } catch (FileAlreadyExistsException e) {
                return; // another process was first
            } catch (UnsupportedOperationException | IOException e) {
                AtomicWrite.file(pointer, out -> {
                    try (FileChannel from = FileChannel.open(blob(etag))) {
                        for (long at = 0; at < from.size(); ) {
                            at += from.transferTo(at, from.size() - at, out);
                        }
                    }
                });
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot write " + pointer + ": " + e, e);
        }
    }

    /** The names of all files of a commit, if huggingface_hub has stored that list. */
    Optional<List<String>> listing(String commit) {
        Path tree = folder.resolve("trees").resolve(commit + ".json");
        if (!Files.isRegularFile(tree)) {
            return Optional.empty();
        }
        try {
            JsonNode root = Json.read(tree);
            return root.path("format_version").asInt(0) == 1
                            && root.path("files").isObject()
                    ? Optional.of(List.copyOf(root.path("files").propertyNames()))
                    : Optional.empty();
        } catch (FormatException e) {
            return Optional.empty(); // a list that cannot be read is no list; the hub is asked again
        }
    }

    /** The names of the files in a snapshot. */
    List<String> present(String commit) {
        Path snapshot = snapshot(commit);
        if (!Files.isDirectory(snapshot, LinkOption.NOFOLLOW_LINKS)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(snapshot)) {
            return files.filter(Files::isRegularFile)
                    .map(file -> snapshot.relativize(file).toString().replace('\\', '/'))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot list " + snapshot + ": " + e, e);
        }
    }
}
