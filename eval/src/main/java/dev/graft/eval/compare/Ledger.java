package dev.graft.eval.compare;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.Fields;
import dev.graft.formats.FormatException;
import dev.graft.formats.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
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
 * The outcomes of a comparison, a file for each in {@code trials}, and what its contenders cost, in {@code costs}. Several processes may share it: a trial is run by the one that has
 * claimed it, and a claim ends with its process.
 */
public final class Ledger {
    /** What this process has claimed: closing a second channel on a locked file would release the lock on POSIX systems. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final Path costs;
    private final Map<Path, Outcome> read = new HashMap<>();

    /** The ledger in the folder of a comparison. */
    public Ledger(Path folder) {
        this.folder = folder.resolve("trials");
        this.costs = folder.resolve("costs");
        try {
            Files.createDirectories(this.folder);
            Files.createDirectories(costs);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot make " + this.folder + ": " + e.getMessage(), e);
        }
    }

    /** The outcome of a trial, or null if there is none yet or something that decides it has changed since. */
    @Nullable
    Outcome outcome(Trial trial, String key) {
        Path file = file(trial);
        Outcome known = read.get(file);
        if (known == null && Files.exists(file)) {
            known = Outcome.of(Fields.read(file));
            read.put(file, known);
        }
        return known != null && known.key().equals(key) ? known : null;
    }

    void write(Outcome outcome) {
        Path file = file(outcome.trial());
        AtomicWrite.text(file, Json.pretty(outcome.toJson()) + "\n");
        read.put(file, outcome);
    }

    /** The measured cost of a contender, or null if there is none or something that decides it has changed since. */
    @Nullable
    Footprint footprint(String contender, String key) {
        Path file = cost(contender);
        Footprint footprint = Files.exists(file) ? Footprint.of(Fields.read(file)) : null;
        return footprint != null && footprint.key().equals(key) ? footprint : null;
    }

    void write(Footprint footprint) {
        AtomicWrite.text(cost(footprint.method()), Json.pretty(footprint.toJson()) + "\n");
    }

    private Path cost(String contender) {
        return costs.resolve(contender + ".json");
    }

    private Path file(Trial trial) {
        return folder.resolve(trial.name() + ".json");
    }

    /**
     * All outcomes in a folder, by the names of their files.
     *
     * @throws FormatException if one of the files isn't an outcome
     */
    public List<Outcome> all() {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".json"))
                    .sorted()
                    .map(file -> Outcome.of(Fields.read(file)))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + folder + ": " + e.getMessage(), e);
        }
    }

    /** Takes a trial, or gives null if another process or thread has it. */
    @Nullable
    Claim claim(Trial trial) {
        try {
            Path file = folder.toRealPath().resolve(trial.name() + ".lock");
            if (!HELD.add(file)) {
                return null;
            }
            Claim claim = new Claim(FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE), file);
            if (claim.channel.tryLock() == null) {
                claim.close();
                return null;
            }
            read.remove(file(trial));
            return claim;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot lock the trial " + trial.name() + ": " + e.getMessage(), e);
        }
    }

    /** A trial that is ours as long as this is open. The file stays: two processes could lock two files of that name. */
    record Claim(FileChannel channel, Path file) implements AutoCloseable {
        @Override
        public void close() {
            try {
                channel.close();
                HELD.remove(file);
            } catch (IOException e) {
                throw new UncheckedIOException("cannot unlock " + file + ": " + e.getMessage(), e);
            }
        }
    }
}
