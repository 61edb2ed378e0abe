package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.io.IOException;
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
 * The records of the names in a store: {@code names/<SHA-256 of a name>.json}, so no name is a path and names that differ in case are distinct.
 * Changes by several processes are serialised.
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
            throw new FormatException(file, "is of " + InputException.quote(record.name()) + ", expected " + name);
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
     * The records of names.
     *
     * @param damaged the errors of unreadable records
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

    /**
     * Returns the records of all names, for callers that must not miss one.
     *
     * @throws InputException if one can't be read
     */
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

    /** Changes the record of a name with versions. */
    void change(String name, UnaryOperator<NameRecord> change) {
        locked(() -> {
            NameRecord record = require(VersionReference.requireName(name));
            if (record.target() != null) {
                throw new InputException(name + " is an alias of " + record.target() + " and has no versions");
            }
            write(change.apply(record));
            return record;
        });
    }

    /** Deletes temporary files of killed processes. Call it only while the store is locked against writers. */
    void sweep() {
        ObjectFolder.list(folder, path -> path.getFileName().toString().startsWith("."))
                .forEach(AtomicWrite::delete);
    }

    /** Runs a change of the store while no other process changes it. */
    <T> T locked(Supplier<T> change) {
        synchronized (ONE_AT_A_TIME) {
            try (FileChannel channel = FileChannel.open(
                            root.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                return change.get();
            } catch (IOException e) {
                throw new FileAccessException("cannot lock " + root, e);
            }
        }
    }
}
