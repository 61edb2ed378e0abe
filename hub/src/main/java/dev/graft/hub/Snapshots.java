package dev.graft.hub;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The files of a repository that need no request to the hub. A complete fetch writes the list of its files to
 * {@code <graft cache>/hf/<org>--<name>/<commit>}. Snapshots of huggingface_hub are checked against its own list of the commit, or else accepted
 * with their present files.
 */
record Snapshots(HubEnvironment environment, HfCache cache, Source.HuggingFace source) {

    /** Returns the last known snapshot of the revision, if it contains the files of a model or an adapter. */
    Optional<Path> usable() {
        return cache.commit(source.revision())
                .filter(commit -> listed(commit) || missing(commit).isEmpty())
                .map(cache::snapshot);
    }

    /** Returns whether a list marks the snapshot as complete. */
    boolean listed(String commit) {
        Path list = list(commit);
        try {
            if (Files.isRegularFile(list)) {
                return Files.readAllLines(list).stream().allMatch(name -> cache.has(commit, name));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot read " + list + ": " + e, e);
        }
        return cache.listing(commit).isPresent() && missing(commit).isEmpty();
    }

    void remember(String commit, List<String> names) {
        AtomicWrite.text(list(commit), String.join("\n", names) + "\n");
    }

    /** Creates the error for offline work without a usable snapshot. */
    FetchException unusable(String variable) {
        String why = cache.commit(source.revision())
                .map(commit -> cache.snapshot(commit) + " lacks " + String.join(", ", missing(commit)))
                .orElse("it is not in " + cache.folder());
        return new FetchException(source + ": " + why + ", and " + variable + " is set: fetch it once while online");
    }

    private Path list(String commit) {
        return environment
                .cache()
                .resolve("hf")
                .resolve(source.repository().replace("/", "--"))
                .resolve(commit);
    }

    private List<String> missing(String commit) {
        List<String> present = cache.present(commit);
        WantedFiles wanted;
        try {
            wanted = WantedFiles.of(source.repository(), cache.listing(commit).orElse(present));
        } catch (InputException e) {
            return List.of("weights");
        }
        List<String> needed = new ArrayList<>(wanted.companions());
        needed.addAll(wanted.weights());
        if (present.contains(SafetensorsIndex.NAME)) {
            needed.addAll(SafetensorsIndex.shards(cache.snapshot(commit).resolve(SafetensorsIndex.NAME)));
        }
        boolean described = wanted.weights().stream().anyMatch(name -> name.endsWith(".gguf"))
                || needed.contains("config.json")
                || needed.contains("adapter_config.json");
        if (!described) {
            needed.add("config.json");
        }
        needed.removeAll(present);
        return needed;
    }
}
