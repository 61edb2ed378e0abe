package dev.graft.train.checkpoints;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The {@code checkpoint-<step>} folders of a run. Each is written atomically, with the hashes of its files; a process killed at any moment
 * leaves the previous ones usable. The caller writes all files besides {@code state.json}.
 *
 * <pre>{@code
 * Checkpoints checkpoints = new Checkpoints(output, 2);
 * checkpoints.save(state, folder -> {
 *     adapter.save(folder);
 *     Safetensors.write(folder.resolve("optimizer.safetensors"), moments, Map.of());
 * });
 * Checkpoint last = checkpoints.last();
 * }</pre>
 */
public final class Checkpoints {
    static final String STATE = "state.json";
    private static final Pattern NAME = Pattern.compile("checkpoint-([0-9]{1,18})");
    private static final Pattern REPLACED = Pattern.compile("\\.(checkpoint-[0-9]{1,18})\\.old");

    private final Path run;
    private final int limit;
    private final List<String> rejected = new ArrayList<>();

    /**
     * Creates the checkpoints of a run, without touching the disk.
     *
     * @param run the folder of the run
     * @param limit the number of checkpoints to keep ({@code save_total_limit}), 0 for all; the best one is always kept
     * @throws InputException if the limit is negative
     */
    public Checkpoints(Path run, int limit) {
        if (limit < 0) {
            throw new InputException("save_total_limit is " + limit + ", expected 0 (all) or more");
        }
        this.run = run;
        this.limit = limit;
    }

    /**
     * Saves a checkpoint, then removes the ones beyond the limit. If writing fails, nothing has changed.
     *
     * @param body writes the files next to {@code state.json}
     * @return the folder of the checkpoint
     * @throws UncheckedIOException if the disk is full or can't be written
     */
    public Path save(TrainingState state, AtomicWrite.FolderBody body) {
        Path folder = run.resolve("checkpoint-" + state.step());
        AtomicWrite.folder(folder, temporary -> {
            body.write(temporary);
            AtomicWrite.text(temporary.resolve(STATE), Json.pretty(state.toJson()) + "\n");
            Manifest.write(temporary);
        });
        removeSurplus(state);
        return folder;
    }

    /**
     * Removes the checkpoints beyond the limit that a killed process left behind; none if there are newer ones than {@code last}.
     */
    public void tidy(Checkpoint last) {
        Map.Entry<Long, Path> newest = folders().lastEntry();
        if (newest != null && newest.getValue().equals(last.folder())) {
            removeSurplus(last.state());
        }
    }

    private void removeSurplus(TrainingState state) {
        if (limit == 0) {
            return;
        }
        NavigableMap<Long, Path> folders = folders();
        List<Long> keep = new ArrayList<>(folders.headMap(state.step(), true).descendingKeySet().stream()
                .limit(limit)
                .toList());
        if (state.best() != null
                && folders.containsKey(state.best().step())
                && !keep.contains(state.best().step())) {
            if (keep.size() == limit && limit > 1) {
                keep.remove(limit - 1);
            }
            keep.add(state.best().step());
        }
        folders.forEach((step, folder) -> {
            if (!keep.contains(step)) {
                remove(folder);
            }
        });
    }

    /** The manifest goes first: from then on the folder no longer counts as a checkpoint. */
    private static void remove(Path folder) {
        try {
            Files.deleteIfExists(folder.resolve("manifest.json"));
            List<Path> content;
            try (Stream<Path> paths = Files.walk(folder)) {
                content = paths.sorted(Comparator.reverseOrder()).toList();
            }
            for (Path path : content) {
                Files.delete(path);
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot remove the old checkpoint " + folder, e);
        }
    }

    /**
     * Returns the newest intact checkpoint; null if there is none. Damaged newer ones are skipped and named by {@link #rejected}.
     */
    public @Nullable Checkpoint last() {
        rejected.clear();
        for (Path folder : folders().descendingMap().values()) {
            try {
                return open(folder);
            } catch (InputException e) {
                rejected.add(e.getMessage());
            }
        }
        return null;
    }

    /** Returns the reasons why {@link #last} skipped newer folders. */
    public List<String> rejected() {
        return List.copyOf(rejected);
    }

    /** Returns every folder named like a checkpoint, by its step, unverified. */
    public NavigableMap<Long, Path> folders() {
        NavigableMap<Long, Path> folders = new TreeMap<>();
        if (!Files.isDirectory(run)) {
            return folders;
        }
        try {
            for (Path path : list()) {
                Matcher replaced = REPLACED.matcher(path.getFileName().toString());
                if (replaced.matches()) {
                    AtomicWrite.recover(path.resolveSibling(replaced.group(1)));
                }
            }
            for (Path path : list()) {
                Matcher matcher = NAME.matcher(path.getFileName().toString());
                if (matcher.matches() && Files.isDirectory(path)) {
                    folders.put(Long.parseLong(matcher.group(1)), path);
                }
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + run, e);
        }
        return folders;
    }

    private List<Path> list() throws IOException {
        try (Stream<Path> paths = Files.list(run)) {
            return paths.toList();
        }
    }

    /**
     * Opens one checkpoint after checking every file against its hash.
     *
     * @throws InputException saying which file is missing or damaged
     */
    public static Checkpoint open(Path folder) {
        AtomicWrite.recover(folder);
        if (!Files.isDirectory(folder)) {
            throw new FormatException(folder, "is not a checkpoint folder");
        }
        try {
            Manifest.verify(folder, STATE);
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + folder, e);
        }
        Path file = folder.resolve(STATE);
        return new Checkpoint(folder, TrainingState.fromJson(file, Json.read(file)));
    }
}
