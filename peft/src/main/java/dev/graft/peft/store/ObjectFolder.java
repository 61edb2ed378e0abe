package dev.graft.peft.store;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.FileAccessException;
import dev.graft.formats.FileTree;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.io.IOException;
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
 * The files of adapters, each adapter in a folder named by the SHA-256 of its content, which never changes.
 *
 * @param store the store's folder
 * @param encrypted whether files are encrypted
 * @param encryption the key, or null if it is unknown or there is none
 */
record ObjectFolder(Path store, boolean encrypted, @Nullable FileEncryption encryption) {

    Path folder(String id) {
        return store.resolve("objects").resolve(id);
    }

    /** Removes unneeded objects and temporary files of killed processes; returns the number of freed bytes. */
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

    /** Writes the files, unless they already exist whole, and returns their hashes. */
    Map<String, String> put(String id, StoredContent content) {
        Path object = folder(id);
        SortedMap<String, byte[]> kept = files(object);
        if (kept.keySet().equals(content.files().keySet()) && isWhole(id, kept)) {
            return StoredContent.hashes(kept);
        }
        if (encrypted && encryption == null) {
            throw new InputException(store + ": the store is encrypted; give its key");
        }
        SortedMap<String, byte[]> fresh = new TreeMap<>();
        content.files()
                .forEach((file, plain) ->
                        fresh.put(file, encryption == null ? plain : encryption.encrypt(plain, id, file)));
        if (encryption != null) {
            DecryptedFiles.use(content.files(), folder -> {
                StoredContent.checkTensors(folder);
                return folder;
            });
        }
        AtomicWrite.folder(object, folder -> {
            for (Map.Entry<String, byte[]> file : fresh.entrySet()) {
                Files.write(folder.resolve(file.getKey()), file.getValue());
            }
            if (encryption == null) {
                StoredContent.checkTensors(folder);
            }
        });
        return StoredContent.hashes(fresh);
    }

    /** Returns a description of the damage of a version's files, or null for none. */
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

    /** Returns whether files match the id. Without the key this is unknown for encrypted ones. */
    private boolean isWhole(String id, SortedMap<String, byte[]> files) {
        if (encrypted && encryption == null) {
            return true;
        }
        try {
            return new StoredContent(decrypted(id, files), List.of()).id().equals(id);
        } catch (InputException changed) {
            return false;
        }
    }

    /** Returns a version's files in their original, decrypted form. */
    SortedMap<String, byte[]> plain(StoredVersion version) {
        String damage = damage(version);
        if (damage != null) {
            throw new InputException(version.title() + ": " + damage);
        }
        return decrypted(version.id(), files(folder(version.id())));
    }

    private SortedMap<String, byte[]> decrypted(String id, SortedMap<String, byte[]> files) {
        if (!encrypted) {
            return files;
        }
        if (encryption == null) {
            throw new InputException(store + ": the store is encrypted; give its key");
        }
        SortedMap<String, byte[]> opened = new TreeMap<>();
        files.forEach((name, content) -> opened.put(name, encryption.decrypt(content, id, name)));
        return opened;
    }

    private static SortedMap<String, byte[]> files(Path object) {
        SortedMap<String, byte[]> files = new TreeMap<>();
        try {
            for (Path file : list(object, Files::isRegularFile)) {
                files.put(file.getFileName().toString(), Files.readAllBytes(file));
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + object, e);
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
            throw new FileAccessException("cannot list " + folder, e);
        }
    }
}
