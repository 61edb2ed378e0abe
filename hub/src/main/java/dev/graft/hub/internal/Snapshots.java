package dev.graft.hub.internal;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.hub.FetchException;
import dev.graft.hub.Source;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What of a repository can be used without asking the hub. A fetch that ended well leaves the list of its files in
 * {@code <graft cache>/hf/<org>--<name>/<commit>}; of snapshots that huggingface_hub made, its own list of the commit tells, or else
 * the files that are there.
 */
record Snapshots(Environment environment, HfCache cache, Source.HuggingFace source) {

    /** The snapshot of the revision as last seen, if it has what a model or an adapter needs. */
    Optional<Path> usable() {
        return cache.commit(source.revision())
                .filter(commit -> listed(commit) || missing(commit).isEmpty())
                .map(cache::snapshot);
    }

    /** Whether a list says that the snapshot is complete. */
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

    /** Why offline work is not possible. */
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
