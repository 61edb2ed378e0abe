package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileTree;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files of adapters, each in a folder that is called by the SHA-256 of what is in it and never changes.
 *
 * @param store the store's folder
 * @param sealed whether files are encrypted
 * @param seal the key, or null where it isn't known or there is none
 */
record ObjectFolder(Path store, boolean sealed, @Nullable Seal seal) {

    Path folder(String id) {
        return store.resolve("objects").resolve(id);
    }

    /** Removes what isn't needed, and what processes that died left; returns the bytes that became free. */
    long retain(Set<String> needed) {
        long free = 0;
        for (Path object : list(
                store.resolve("objects"),
                path -> !needed.contains(path.getFileName().toString()))) {
            free += FileTree.bytes(object);
            AtomicWrite.delete(object);
        }
        return free;
    }

    /** Puts the files in their place, where they aren't there whole already, and returns their hashes. */
    Map<String, String> put(String id, Content content) {
        Path object = folder(id);
        SortedMap<String, byte[]> kept = files(object);
        if (kept.keySet().equals(content.files().keySet()) && isWhole(id, kept)) {
            return Content.hashes(kept);
        }
        if (sealed && seal == null) {
            throw new InputException(store + ": the store is encrypted; give its key");
        }
        SortedMap<String, byte[]> fresh = new TreeMap<>();
        content.files().forEach((file, plain) -> fresh.put(file, seal == null ? plain : seal.close(plain, id, file)));
        if (seal != null) {
            Memory.use(content.files(), folder -> {
                Content.checkTensors(folder);
                return folder;
            });
        }
        AtomicWrite.folder(object, folder -> {
            for (Map.Entry<String, byte[]> file : fresh.entrySet()) {
                Files.write(folder.resolve(file.getKey()), file.getValue());
            }
            if (seal == null) {
                Content.checkTensors(folder);
            }
        });
        return Content.hashes(fresh);
    }

    /** What is wrong with a version's files, or null. */
    @Nullable
    String damage(StoredVersion version) {
        SortedMap<String, byte[]> files = files(folder(version.id()));
        if (!files.keySet().equals(version.files().keySet())) {
            return "has the files " + files.keySet() + ", expected "
                    + version.files().keySet();
        }
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            if (!Sha256.of(file.getValue()).equals(version.files().get(file.getKey()))) {
                return file.getKey() + " was changed";
            }
        }
        return isWhole(version.id(), files) ? null : "the files aren't those of " + version.id();
    }

    /** Whether files give the id; of encrypted ones that can't be said without the key. */
    private boolean isWhole(String id, SortedMap<String, byte[]> files) {
        if (sealed && seal == null) {
            return true;
        }
        try {
            return new Content(opened(id, files), List.of()).id().equals(id);
        } catch (InputException changed) {
            return false;
        }
    }

    /** A version's files as they were added. */
    SortedMap<String, byte[]> plain(StoredVersion version) {
        String damage = damage(version);
        if (damage != null) {
            throw new InputException(version.title() + ": " + damage);
        }
        return opened(version.id(), files(folder(version.id())));
    }

    private SortedMap<String, byte[]> opened(String id, SortedMap<String, byte[]> files) {
        if (!sealed) {
            return files;
        }
        if (seal == null) {
            throw new InputException(store + ": the store is encrypted; give its key");
        }
        SortedMap<String, byte[]> opened = new TreeMap<>();
        files.forEach((name, content) -> opened.put(name, seal.open(content, id, name)));
        return opened;
    }

    private static SortedMap<String, byte[]> files(Path object) {
        SortedMap<String, byte[]> files = new TreeMap<>();
        try {
            for (Path file : list(object, Files::isRegularFile)) {
                files.put(file.getFileName().toString(), Files.readAllBytes(file));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + object + ": " + e.getMessage(), e);
        }
        return files;
    }

    static List<Path> list(Path folder, Predicate<Path> which) {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(which).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot list " + folder + ": " + e.getMessage(), e);
        }
    }
}
