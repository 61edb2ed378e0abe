package dev.graft.peft.store;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.FormatException;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.formats.Safetensors;
import dev.graft.formats.Sha256;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * The files of an adapter, from a folder or a zip archive: flat, with plain names, and none that could run code.
 *
 * @param files the contents by name
 * @param leftOut names of files that don't belong to an adapter, such as {@code training_args.bin}
 */
record StoredContent(SortedMap<String, byte[]> files, List<String> leftOut) {
    /** The largest size of an adapter. */
    private static final long MAX_BYTES = 1L << 31;

    private static final int MAX_FILES = 64;

    private static final String PLAIN = "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}";

    private static final List<String> KINDS = List.of(".json", ".safetensors", ".md", ".txt", ".jinja");

    /**
     * Reads the files.
     *
     * @throws InputException if they are no adapter, or an archive is unsafe
     */
    static StoredContent read(Path source) {
        if (!Files.exists(source)) {
            throw new InputException(
                    source + ": no such adapter; expected a folder with adapter_config.json or a zip of one");
        }
        try {
            StoredContent content = Files.isDirectory(source) ? folder(source) : archive(source);
            content.check(source);
            return content;
        } catch (IOException e) {
            throw new FileAccessException("cannot read " + source, e);
        }
    }

    private static StoredContent folder(Path source) throws IOException {
        SortedMap<String, byte[]> files = new TreeMap<>();
        List<String> leftOut = new ArrayList<>();
        long left = MAX_BYTES;
        try (Stream<Path> entries = Files.list(source)) {
            for (Path file : entries.sorted().toList()) {
                String name = file.getFileName().toString();
                if (Files.exists(file.resolve("adapter_config.json"))) {
                    throw new InputException(
                            source + ": holds adapters in folders of its own, such as " + InputException.quote(name)
                                    + ", which the store doesn't keep; serve the folder that it is in by --adapters");
                }
                if (!Files.isRegularFile(file) || !isWanted(name)) {
                    leftOut.add(name);
                    continue;
                }
                left -= Files.size(file);
                refuseTooLarge(source, left, files.size());
                files.put(name, Files.readAllBytes(file));
            }
        }
        return new StoredContent(files, List.copyOf(leftOut));
    }

    /**
     * Reads an archive without unpacking anything to a path. An entry's name must be plain, and the limit counts the
     * bytes read of all entries, not their declared sizes.
     */
    private static StoredContent archive(Path source) throws IOException {
        SortedMap<String, byte[]> files = new TreeMap<>();
        List<String> leftOut = new ArrayList<>();
        String top = null;
        long left = MAX_BYTES;
        try (ZipFile zip = new ZipFile(source.toFile())) {
            for (Enumeration<? extends ZipEntry> all = zip.entries(); all.hasMoreElements(); ) {
                ZipEntry entry = all.nextElement();
                if (entry.isDirectory()) {
                    continue;
                }
                String[] parts = entry.getName().split("/", -1);
                String name = parts[parts.length - 1];
                String folder = parts.length == 1 ? "" : parts[0];
                if (parts.length > 2 || !name.matches(PLAIN) || parts.length == 2 && !folder.matches(PLAIN)) {
                    throw new InputException(source + ": the entry " + InputException.quote(entry.getName())
                            + " has no plain name; expected the files of one adapter, in one folder at most");
                }
                if (top != null && !top.equals(folder)) {
                    throw new InputException(source + ": has more than one folder, " + InputException.quote(top)
                            + " and " + InputException.quote(folder));
                }
                top = folder;
                if (!isWanted(name)) {
                    leftOut.add(name);
                    continue;
                }
                byte[] content;
                try (InputStream in = zip.getInputStream(entry)) {
                    content = in.readNBytes((int) Math.min(left + 1, Integer.MAX_VALUE - 8));
                }
                left -= content.length;
                refuseTooLarge(source, left, files.size());
                if (files.put(name, content) != null) {
                    throw new InputException(source + ": two entries are called " + name);
                }
            }
        } catch (ZipException | EOFException damaged) {
            throw new FormatException(source, "is no folder and no whole zip archive: " + damaged.getMessage());
        }
        return new StoredContent(files, List.copyOf(leftOut));
    }

    private static boolean isWanted(String name) {
        return name.matches(PLAIN) && KINDS.stream().anyMatch(name::endsWith);
    }

    private static void refuseTooLarge(Path source, long left, int count) {
        if (left < 0 || count >= MAX_FILES) {
            throw new InputException(source + ": has more than " + MAX_FILES + " files or " + (MAX_BYTES >> 20)
                    + " MiB, expected an adapter");
        }
    }

    private void check(Path source) {
        byte[] config = files.get("adapter_config.json");
        if (config == null) {
            throw new InputException(source + ": no adapter_config.json here, so this is not an adapter");
        }
        Json.parse(source + "/adapter_config.json", config);
        if (files.keySet().stream().noneMatch(name -> name.endsWith(".safetensors"))) {
            throw new InputException(source + ": has no safetensors file"
                    + (leftOut.isEmpty()
                            ? ""
                            : ", but " + leftOut + "; pickle files are never read, convert them to safetensors"));
        }
    }

    /** Returns the SHA-256 of the names and contents: equal adapters are the same object, whatever their source. */
    String id() {
        MessageDigest all = Sha256.digest();
        files.forEach((name, content) -> {
            all.update((name + "\0" + content.length + "\0").getBytes(StandardCharsets.UTF_8));
            all.update(content);
        });
        return Sha256.hex(all);
    }

    long bytes() {
        return files.values().stream().mapToLong(content -> content.length).sum();
    }

    static Map<String, String> hashes(SortedMap<String, byte[]> stored) {
        Map<String, String> hashes = new TreeMap<>();
        stored.forEach((name, content) -> hashes.put(name, Sha256.of(content)));
        return hashes;
    }

    /** Refuses tensors that can't be read; they must be in a folder for that. */
    static void checkTensors(Path folder) {
        try (Stream<Path> all = Files.list(folder)) {
            for (Path file :
                    all.filter(path -> path.toString().endsWith(".safetensors")).toList()) {
                Safetensors.open(file).close();
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot list " + folder, e);
        }
    }
}
