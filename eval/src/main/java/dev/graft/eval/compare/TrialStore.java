package dev.graft.eval.compare;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The outcomes of a comparison, one file each in {@code trials}, and the costs of its methods, in {@code costs}. Several processes may
 * share it. A process locks the trial that it runs, and the lock ends with the process.
 */
public final class TrialStore {
    /** The files that this process has locked: closing a second channel on a locked file would release the lock on POSIX systems. */
    private static final Set<Path> LOCKED = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final Path costs;
    private final Map<Path, TrialOutcome> read = new HashMap<>();

    /** Opens the store in the folder of a comparison. */
    public TrialStore(Path folder) {
        this.folder = folder.resolve("trials");
        this.costs = folder.resolve("costs");
        try {
            Files.createDirectories(this.folder);
            Files.createDirectories(costs);
        } catch (IOException e) {
            throw new FileAccessException("cannot make " + this.folder, e);
        }
    }

    /** The outcome of a trial, or null if there is none yet or something that decides it has changed since. */
    @Nullable
    TrialOutcome outcome(Trial trial, String key) {
        Path file = file(trial);
        TrialOutcome known = read.get(file);
        if (known == null && Files.exists(file)) {
            known = TrialOutcome.of(Fields.read(file));
            read.put(file, known);
        }
        return known != null && known.key().equals(key) ? known : null;
    }

    void write(TrialOutcome outcome) {
        Path file = file(outcome.trial());
        AtomicWrite.text(file, Json.pretty(outcome.toJson()) + "\n");
        read.put(file, outcome);
    }

    /** Returns the measured costs of a method, or null if there are none or something that decides it has changed since. */
    @Nullable
    Footprint footprint(String method, String key) {
        Path file = cost(method);
        Footprint footprint = Files.exists(file) ? Footprint.of(Fields.read(file)) : null;
        return footprint != null && footprint.key().equals(key) ? footprint : null;
    }

    void write(Footprint footprint) {
        AtomicWrite.text(cost(footprint.method()), Json.pretty(footprint.toJson()) + "\n");
    }

    private Path cost(String method) {
        return costs.resolve(method + ".json");
    }

    private Path file(Trial trial) {
        return folder.resolve(trial.name() + ".json");
    }

    /**
     * Returns all outcomes in the folder, in the order of their file names.
     *
     * @throws FormatException if one of the files isn't an outcome
     */
    public List<TrialOutcome> all() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".json"))
                    .sorted()
                    .map(file -> TrialOutcome.of(Fields.read(file)))
                    .toList();
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + folder, e);
        }
    }

    /** Claims a trial, or returns null if another process or thread has it. */
    @Nullable
    TrialLock lock(Trial trial) {
        try {
            Path file = folder.toRealPath().resolve(trial.name() + ".lock");
            if (!LOCKED.add(file)) {
                return null;
            }
            TrialLock claim =
                    new TrialLock(FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE), file);
            if (claim.channel.tryLock() == null) {
                claim.close();
                return null;
            }
            read.remove(file(trial));
            return claim;
        } catch (IOException e) {
            throw new FileAccessException("cannot lock the trial " + trial.name(), e);
        }
    }

    /** A trial that is ours as long as this is open. The file stays: two processes could lock two files of that name. */
    record TrialLock(FileChannel channel, Path file) implements AutoCloseable {
        @Override
        public void close() {
            try {
                channel.close();
                LOCKED.remove(file);
            } catch (IOException e) {
                throw new FileAccessException("cannot unlock " + file, e);
            }
        }
    }
}
