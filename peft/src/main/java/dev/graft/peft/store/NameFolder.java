package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * What the names in a store mean: {@code names/<SHA-256 of a name>.json}, so that no name is a path and two that differ in case are two.
 * Changes of several processes come one after another.
 */
final class NameFolder {
    private static final Object ONE_AT_A_TIME = new Object();

    private final Path root;
    private final Path folder;

    NameFolder(Path root) {
        this.root = root;
        this.folder = root.resolve("names");
    }

    private Path file(String name) {
        return folder.resolve(Sha256.of(name) + ".json");
    }

    @Nullable
    NameRecord find(String name) {
        Path file = file(name);
        if (!Files.isRegularFile(file)) {
            return null;
        }
        NameRecord record = NameRecord.read(file);
        if (!record.name().equals(name)) {
            throw new FormatException(file, "is of " + InputException.shown(record.name()) + ", expected " + name);
        }
        return record;
    }

    NameRecord require(String name) {
        NameRecord record = find(name);
        if (record == null) {
            throw new UnknownAdapterException("there is no adapter " + name + " in the store");
        }
        return record;
    }

    /**
     * What names mean.
     *
     * @param damaged what is wrong with the files of others
     */
    record Contents(List<NameRecord> records, List<InputException> damaged) {}

    Contents read() {
        List<NameRecord> records = new ArrayList<>();
        List<InputException> damaged = new ArrayList<>();
        for (Path file :
                ObjectFolder.list(folder, path -> path.getFileName().toString().matches("[0-9a-f]{64}\\.json"))) {
            try {
                records.add(NameRecord.read(file));
            } catch (InputException unreadable) {
                damaged.add(unreadable);
            }
        }
        return new Contents(records, damaged);
    }

    /** What all names mean, for who must not miss one. */
    List<NameRecord> all() {
        Contents contents = read();
        if (!contents.damaged.isEmpty()) {
            throw contents.damaged.get(0);
        }
        return contents.records;
    }

    void write(NameRecord record) {
        AtomicWrite.text(file(record.name()), record.json());
    }

    void delete(String name) {
        AtomicWrite.delete(file(name));
    }

    /** Changes what a name with versions means. */
    void change(String name, UnaryOperator<NameRecord> change) {
        locked(() -> {
            NameRecord record = require(Reference.requireName(name));
            if (record.target() != null) {
                throw new InputException(name + " is an alias of " + record.target() + " and has no versions");
            }
            write(change.apply(record));
            return record;
        });
    }

    /** Deletes what processes that died left; only while the store is locked, when nobody writes. */
    void sweep() {
        ObjectFolder.list(folder, path -> path.getFileName().toString().startsWith("."))
                .forEach(AtomicWrite::delete);
    }

    /** Runs a change of the store while no other process makes one. */
    <T> T locked(Supplier<T> change) {
        synchronized (ONE_AT_A_TIME) {
            try (FileChannel channel = FileChannel.open(
                            root.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                return change.get();
            } catch (IOException e) {
                throw new UncheckedIOException("cannot lock " + root + ": " + e.getMessage(), e);
            }
        }
    }
}
