package dev.graft.serve.http;

import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The API keys of a server. A file has a line for each key: a name, {@code infer} or {@code admin}, the SHA-256 of the key in hexadecimal
 * and, if it is limited, how many requests a minute it may make. The keys themselves aren't stored.
 *
 * <pre>{@code
 * alice infer 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 60
 * }</pre>
 */
public final class ApiKeys {
    private static final int MAX_KEYS = 10_000;

    private final List<Key> keys;

    /** The rights of a key. */
    public enum Right {
        /** Inference only. */
        INFER,
        /** Inference, and loading and unloading adapters. */
        ADMIN
    }

    /**
     * A key.
     *
     * @param hash the SHA-256 of the key
     * @param rateLimiter limits the number of requests a minute
     */
    @SuppressWarnings("ArrayRecordComponent") // never shared
    record Key(String name, Right right, byte[] hash, RateLimiter rateLimiter) {}

    private ApiKeys(List<Key> keys) {
        this.keys = keys;
    }

    /**
     * Reads a file of keys.
     *
     * @throws InputException if a line isn't a key; the message names it
     */
    public static ApiKeys read(Path file) {
        List<String> lines = lines(file);
        List<Key> keys = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (!line.isEmpty() && !line.startsWith("#")) {
                keys.add(key(file + ", line " + (i + 1), line.split("\\s+")));
            }
        }
        if (keys.isEmpty() || keys.size() > MAX_KEYS) {
            throw new InputException(file + " has " + keys.size() + " keys, expected from 1 to " + MAX_KEYS
                    + "; make one with graft serve --keys " + file + " --add-key NAME");
        }
        if (keys.stream().map(Key::name).distinct().count() < keys.size()) {
            throw new InputException(file + " has two keys of one name");
        }
        return new ApiKeys(List.copyOf(keys));
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException unreadable) {
            throw new InputException(file + ": the file of keys can't be read: " + unreadable.getMessage());
        }
    }

    private static Key key(String where, String[] parts) {
        if (parts.length < 3 || parts.length > 4) {
            throw new InputException(where + " has " + parts.length
                    + " words, expected a name, infer or admin, the key's SHA-256 and, if limited, requests a minute");
        }
        Right right;
        switch (parts[1]) {
            case "infer" -> right = Right.INFER;
            case "admin" -> right = Right.ADMIN;
            default -> throw new InputException(where + ": the right is " + parts[1] + ", expected infer or admin");
        }
        if (!parts[2].matches("[0-9a-fA-F]{64}")) {
            throw new InputException(where + ": the hash isn't 64 hexadecimal digits, expected the key's SHA-256");
        }
        int perMinute = 0;
        if (parts.length == 4) {
            if (!parts[3].matches("[1-9][0-9]{0,6}")) {
                throw new InputException(where + ": the rate is " + parts[3] + ", expected requests a minute");
            }
            perMinute = Integer.parseInt(parts[3]);
        }
        return new Key(
                parts[0],
                right,
                HexFormat.of().parseHex(parts[2].toLowerCase(Locale.ROOT)),
                new RateLimiter(perMinute));
    }

    /**
     * Creates a key, appends its hash to a file and returns the key, which cannot be recovered later.
     *
     * @throws InputException if the name is invalid or taken
     */
    public static String add(Path file, String name, Right right) {
        if (!name.matches("[A-Za-z0-9._-]{1,64}")) {
            throw new InputException(
                    "a key's name is " + name + ", expected up to 64 letters, digits, dots and dashes");
        }
        List<String> lines = Files.exists(file) ? new ArrayList<>(lines(file)) : new ArrayList<>();
        if (lines.stream().anyMatch(line -> line.strip().split("\\s+", 2)[0].equals(name))) {
            throw new InputException(file + " has a key of the name " + name + " already");
        }
        byte[] random = new byte[24];
        new SecureRandom().nextBytes(random);
        String key = "graft-" + HexFormat.of().formatHex(random);
        lines.add(name + " " + right.name().toLowerCase(Locale.ROOT) + " "
                + HexFormat.of().formatHex(hash(key)));
        try {
            AtomicWrite.text(file, String.join("\n", lines) + "\n");
        } catch (UncheckedIOException unwritable) {
            throw new InputException(file + ": the file of keys can't be written: " + unwritable.getMessage());
        }
        return key;
    }

    /** Finds a key by its text; null if it is unknown. The comparison takes constant time. */
    @Nullable
    Key find(String key) {
        byte[] hash = hash(key);
        Key found = null;
        for (Key known : keys) {
            if (MessageDigest.isEqual(known.hash, hash)) {
                found = known;
            }
        }
        return found;
    }

    private static byte[] hash(String key) {
        return Sha256.digest().digest(key.getBytes(StandardCharsets.UTF_8));
    }
}
